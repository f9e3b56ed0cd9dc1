"""The answer that a reranker points at: its sentence, the exact span in it, and silence where nothing is probable."""

from __future__ import annotations

import pytest

from secondpass.answer.extract import ExtractiveAnswerer
from secondpass.answer.phrases import NOT_FOUND
from secondpass.answer.pointed import Pointing, best_pointed, pointed_at, pointing
from secondpass.types import Chunk, Hit, Span

XIAN = "# 西安交通大学\n\n学校历史悠久。2000年，西安交通大学、西安医科大学、陕西财经学院三校合并。校园里有樱花。"
CORS = "The following arguments are supported. `max_age` defaults to 600 seconds. It can be changed."
HTTPS = "随后 Let's Encrypt 创建了。它是 Linux 基金会的一个项目。"


def hit(text: str, words: str, probability: float | None = 0.9, confidence: float | None = 0.8, start: int = 0) -> Hit:
    at = text.index(words)
    chunk = Chunk(f"c{start}", text, "d", start, start + len(text), source="文件.md")
    span = Span(at, at + len(words))
    return Hit(chunk, 1.0, "logit", evidence=span, probability=probability, evidence_confidence=confidence)


@pytest.mark.parametrize(
    ("question", "text", "words", "sentence"),
    [
        ("西安交大由哪几个学校合并的", XIAN, "西安医科大学、陕西财经学院",
         "2000年，西安交通大学、西安医科大学、陕西财经学院三校合并。"),
        ("What is the default of max_age?", CORS, "600 seconds", "`max_age` defaults to 600 seconds."),
        ("浏览器缓存多久？", CORS, "600", "`max_age` defaults to 600 seconds."),  # a question in another language
    ],
)  # fmt: skip
def test_the_sentence_that_holds_the_evidence_is_the_answer_with_the_exact_span(
    question: str, text: str, words: str, sentence: str
) -> None:
    document = "前言。" * 7 + text
    given = [hit(XIAN, "樱花", 0.6), hit(text, words, start=21)]
    answer = ExtractiveAnswerer().answer(question, given)
    assert answer.found
    assert answer.text == f"{sentence} [2]"
    [citation] = answer.citations
    assert document[citation.start : citation.end] == citation.quote == sentence
    assert citation.highlight is not None
    assert document[citation.highlight.start : citation.highlight.end] == words
    assert answer.hits == tuple(given)
    assert not answer.warnings


def test_a_sentence_that_leans_back_takes_the_one_before_and_keeps_its_highlight() -> None:
    [citation] = ExtractiveAnswerer().answer("Let's Encrypt 是谁的项目？", [hit(HTTPS, "Linux 基金会")]).citations
    assert citation.quote == HTTPS
    assert citation.highlight == Span(HTTPS.index("Linux"), HTTPS.index("的一个"))


def test_evidence_over_two_sentences_is_quoted_with_both() -> None:
    words = "supported. `max_age` defaults"
    [citation] = ExtractiveAnswerer().answer("What?", [hit(CORS, words)]).citations
    assert citation.quote == "The following arguments are supported. `max_age` defaults to 600 seconds."


@pytest.mark.parametrize(("question", "code"), [("珠穆朗玛峰有多高？", "zh"), ("How high is Mount Everest?", "en")])
def test_where_no_passage_is_probable_enough_nothing_is_said(question: str, code: str) -> None:
    least = pointing("zh" if code == "zh" else "en").least_probability
    unlikely = [hit(XIAN, "樱花", least - 0.01, 0.99), hit(CORS, "600", 0.01, 0.99)]
    answer = ExtractiveAnswerer().answer(question, unlikely)
    assert not answer.found
    assert answer.text == NOT_FOUND["zh" if code == "zh" else "en"]
    assert not answer.citations
    assert ExtractiveAnswerer(min_probability=0.0).answer(question, unlikely).found
    assert ExtractiveAnswerer().answer(question, [hit(XIAN, "樱花", least, 0.01)]).found
    assert not ExtractiveAnswerer(min_probability=0.95).answer(question, [hit(XIAN, "樱花", 0.94)]).found
    mixed = [hit(XIAN, "樱花", least, 0.01), hit(CORS, "600", least - 0.01, 0.99)]
    assert ExtractiveAnswerer().answer(question, mixed).citations[0].number == 1


def test_of_equally_probable_passages_the_one_whose_answer_is_clear_is_taken() -> None:
    vague, clear = hit(XIAN, "樱花", 0.9, 0.1), hit(CORS, "600", 0.9, 0.9)
    assert ExtractiveAnswerer().answer("多少秒", [vague, clear]).citations[0].number == 2
    found = pointed_at([hit(XIAN, "樱花", 0.9, 0.3), hit(CORS, "600", 0.8, 0.9)])
    assert best_pointed(found, Pointing(0.5, 0.0)).rank == 1
    assert best_pointed(found, Pointing(0.5, 1.0)).rank == 2
    assert best_pointed(pointed_at([clear, clear]), pointing("en")).rank == 1


@pytest.mark.parametrize(("probability", "confidence"), [(None, 0.9), (0.9, None)])
def test_without_probability_or_confidence_the_words_decide_as_before(
    probability: float | None, confidence: float | None
) -> None:
    question = "西安交大由哪几个学校合并的"
    answer = ExtractiveAnswerer().answer(question, [hit(XIAN, "樱花", probability, confidence)])
    plain = ExtractiveAnswerer().answer(question, [Hit(Chunk("c0", XIAN, "d", 0, len(XIAN)), 1.0, "bm25")])
    assert answer.text == plain.text
    assert answer.citations[0].highlight is None
    assert answer.citations[0].quote.startswith("2000年")
