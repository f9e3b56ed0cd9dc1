"""The answer where a reranker has read: words and what it points at decide; what is improbable is not said."""

from __future__ import annotations

from typing import Any

import pytest

from secondpass.answer.extract import ExtractiveAnswerer
from secondpass.answer.phrases import NOT_FOUND
from secondpass.answer.pointed import SURE, Weights, pointed_at, pointing, weigh
from secondpass.config import make_reranker, reader_of
from secondpass.rerank.lexical import LexicalReranker
from secondpass.rerank.options import RerankerOptions
from secondpass.rerank.threshold import MinScore
from secondpass.types import Chunk, Hit, Reranker, Span

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
    answer = ExtractiveAnswerer(1).answer(question, given)
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


def test_of_equally_likely_sentences_the_one_is_taken_whose_evidence_is_clear() -> None:
    vague, clear = hit(CORS, "600", 0.9, 0.1), hit(CORS, "600", 0.9, 0.9)
    assert ExtractiveAnswerer(1).answer("多少秒", [vague, clear]).citations[0].number == 2
    assert ExtractiveAnswerer(1).answer("多少秒", [clear, vague]).citations[0].number == 1
    assert ExtractiveAnswerer(1).answer("多少秒", [clear, hit(CORS, "600", 0.99, 0.1)]).citations[0].number == 2


def test_words_and_what_is_pointed_at_are_weighed_against_each_other() -> None:
    """Evidence that is in no sentence that answers loses against words where it counts little, and wins where much."""
    question = "西安交大由哪几个学校合并的"
    given = [hit(XIAN, "樱花")]

    def first(words: float, evidence: float) -> str:
        return weigh(question, given, pointed_at(given), Weights(words, evidence, 0.0))[0][0].found.text

    assert first(1.0, 0.0).startswith("2000年")
    assert first(0.0, 1.0) == "校园里有樱花。"
    assert first(1.0, 50.0) == "校园里有樱花。"


def test_what_is_pointed_at_in_a_heading_or_in_code_can_be_said() -> None:
    text = "# 西安交通大学\n\n`pip install fastapi` 之后运行。"
    given = [hit(text, "西安交通大学")]
    said = [one.found.text for one, _ in weigh("哪所大学？", given, pointed_at(given), pointing("zh").weights)]
    assert any("西安交通大学" in text for text in said)


@pytest.fixture(scope="module")
def builtin() -> Reranker:
    found = reader_of(make_reranker(["builtin@all"], RerankerOptions()))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("question", "says"),
    [
        ("西安交大由哪几个学校合并的", "西安医科大学"),
        ("What is the default of max_age?", "600 seconds"),
        ("max_age 的默认值是多少秒？", "600 seconds"),  # over a passage in the other language
    ],
)
def test_what_the_built_in_reranker_points_at_is_said(question: str, says: str, builtin: Reranker) -> None:
    ranked = builtin.rerank(question, [hit(text, "。" if "。" in text else ".") for text in (XIAN, CORS, HTTPS)])
    answer = ExtractiveAnswerer(1, min_probability=0.0).answer(question, ranked)
    assert says in answer.text
    assert answer.citations[0].highlight is not None


def test_words_say_what_the_built_in_reranker_does_not_point_at(builtin: Reranker) -> None:
    question, texts = "西安交大由哪几个学校组成", (XIAN, CORS, HTTPS)
    ranked = builtin.rerank(question, [hit(text, "。" if "。" in text else ".") for text in texts])
    assert "西安医科大学" in ExtractiveAnswerer(min_probability=0.0).answer(question, ranked).text


def test_the_right_one_of_many_sentences_is_said(builtin: Reranker) -> None:
    question = "西安交大由哪几个学校合并的"
    text = "".join(f"第{number}段讲的是天气和交通。" for number in range(60)) + XIAN.rpartition("\n")[2]
    ranked = builtin.rerank(question, [hit(text, "第0段")])
    assert "陕西财经学院" in ExtractiveAnswerer(1, min_probability=0.0).answer(question, ranked).text


def test_who_points_at_evidence_is_the_last_that_scores_passages_one_by_one(builtin: Reranker) -> None:
    def reader(*stages: str | Reranker, **options: Any) -> Reranker | None:
        return reader_of(make_reranker(stages, RerankerOptions(**options)))

    assert reader("lexical@20", builtin) is builtin
    assert reader(builtin, "dedupe") is builtin
    assert reader(builtin, min_score=MinScore(0.5, "probability")) is builtin
    assert reader(builtin, budget_seconds=1.0) is None
    assert reader("lexical") is None
    assert reader() is None
    assert reader_of(LexicalReranker()) is None


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


def test_evidence_of_which_the_reranker_is_hardly_sure_gives_way_to_words() -> None:
    question = "西安交大由哪几个学校合并的"

    def first(confidence: float) -> str:
        given = [hit(XIAN, "樱花", confidence=confidence)]
        return weigh(question, given, pointed_at(given), Weights(0.5, 4.0, 0.0))[0][0].found.text

    assert first(SURE) == first(0.9) == "校园里有樱花。"
    assert first(0.01).startswith("2000年")


def test_what_is_pointed_at_beside_the_chosen_sentence_is_highlighted_where_it_is_quoted() -> None:
    quoted = "- `max_age` - 设定浏览器缓存 CORS 响应的最长时间，单位是秒。默认为 `600`。"
    given = [hit(f"支持以下参数：\n\n{quoted}\n\n中间件响应两种请求。", "600", confidence=0.99)]
    question = "浏览器缓存 CORS 响应的最长时间默认是多少秒？"
    chosen = weigh(question, given, pointed_at(given), pointing("zh").weights)[0][0]
    assert "600" not in chosen.found.text
    citation = ExtractiveAnswerer(1).answer(question, given).citations[0]
    assert citation.quote == quoted
    assert citation.highlight is not None
    assert given[0].chunk.text[citation.highlight.start : citation.highlight.end] == "600"


@pytest.mark.parametrize(
    ("question", "text", "said"),
    [
        ("QLoRA 训练用哪个库？", "Bitsandbytes\n\nbitsandbytes 是量化库，一般用于 QLoRA 训练。", "bitsandbytes"),
        ("Which library is for QLoRA?", "# Bits\n\nIt is a library. For QLoRA one takes Bits as a library.", "Bits"),
        (
            "QLoRA 训练用哪个库？",
            "Bits\n\n量化有很多种。它们都很快。库（bitsandbytes）用于 QLoRA 训练。",
            None,
        ),  # part of a word
        ("QLoRA 训练用哪个库？", "Bitsandbytes\n\n量化有很多种。它们都很快。这个库一般用于 QLoRA 训练。", None),
    ],
)
def test_what_a_heading_names_is_highlighted_where_the_quote_says_it_again(
    question: str, text: str, said: str | None
) -> None:
    heading = text.partition("\n")[0].strip("# ")
    citation = ExtractiveAnswerer(1).answer(question, [hit(text, heading, confidence=0.2)]).citations[0]
    assert "QLoRA" in citation.quote
    found = text[citation.highlight.start : citation.highlight.end] if citation.highlight else None
    assert found == said
