"""Exact match and F1 as the official scripts of SQuAD and CMRC 2018 count them, checked by hand; citations."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secondpass.answer.extract import ExtractiveAnswerer
from secondpass.data.questions import Question
from secondpass.evaluate.answer_scores import (
    answer_in_context,
    citation_precision_recall,
    exact_match,
    f1,
    normalise_english,
    words_of,
)
from secondpass.types import Answer, Chunk, Citation, Hit


@pytest.mark.parametrize(
    ("answer", "references", "match", "overlap"),
    [
        ("Denver Broncos", ["Denver Broncos", "The Broncos"], 1.0, 1.0),
        ("the Denver Broncos!", ["Denver Broncos"], 1.0, 1.0),
        # Of 3 words said and 2 wanted, 2 are common: precision 2/3, recall 1.
        ("The Denver Broncos won", ["Denver Broncos"], 0.0, 0.8),
        # The best over the references: 1 of 1 said, 1 of 2 wanted.
        ("Broncos", ["Carolina Panthers", "Denver Broncos"], 0.0, 2 / 3),
        # A word counts as often as both have it: 1 common of 3 said, 1 wanted.
        ("no no no", ["no"], 0.0, 0.5),
        # Punctuation goes without leaving a space, articles only as words of their own.
        ("US", ["U.S."], 1.0, 1.0),
        ("well known", ["well-known"], 0.0, 0.0),
        ("theatre", ["atre"], 0.0, 0.0),
        ("an apple", ["a  Apple,"], 1.0, 1.0),
        # Only ASCII punctuation is taken away.
        ("café “x”", ["café x"], 0.0, 0.5),
        ("nothing like it", ["Denver Broncos"], 0.0, 0.0),
        ("", ["Denver"], 0.0, 0.0),
        ("The", ["a"], 1.0, 1.0),  # both are nothing but articles
    ],
)
def test_english_answers_are_scored_as_squad_does(
    answer: str, references: list[str], match: float, overlap: float
) -> None:
    assert exact_match(answer, references, "en") == match
    assert f1(answer, references, "en") == pytest.approx(overlap)


@pytest.mark.parametrize(
    ("answer", "references", "match", "overlap"),
    [
        ("光荣和ω-force", ["光荣和ω-force"], 1.0, 1.0),
        # Marks count for nothing, whichever they are.
        ("《红楼梦》。", ["红楼梦"], 1.0, 1.0),
        ("２０１２", ["2012"], 0.0, 0.0),  # width is not folded, nor are traditional characters
        ("臺灣", ["台湾"], 0.0, 0.0),
        # The longest common run is 任天: 2 of 6 said, 2 of 3 wanted; then 任天堂: 3 of 6 and 3 of 3.
        ("日本公司任天", ["任天堂"], 0.0, 2 * (2 / 6) * (2 / 3) / (2 / 6 + 2 / 3)),
        ("日本的任天堂", ["任天堂"], 0.0, 2 * (3 / 6) * 1 / (3 / 6 + 1)),
        # A run, not a subsequence: 北 and 京 are not beside each other in the answer.
        ("北方京城", ["北京"], 0.0, 2 * (1 / 4) * (1 / 2) / (1 / 4 + 1 / 2)),
        # English words stand whole, whatever their case: 2 common of 3 said and 2 wanted.
        ("Microsoft Office软", ["microsoft office"], 0.0, 2 * (2 / 3) * 1 / (2 / 3 + 1)),
        ("3.5亿", ["3.5亿元"], 0.0, 2 * 1 * (2 / 3) / (1 + 2 / 3)),
        ("1963年", ["1964年", "1963年"], 1.0, 1.0),
        # A space is kept by exact match and is none to F1; only the ends are stripped.
        (" 西安 交大", ["西安交大"], 0.0, 1.0),
        # "……" is written with two characters in the script's list, and is never met in a text read one by one.
        ("好……", ["好"], 0.0, 2 * (1 / 2) * 1 / (1 / 2 + 1)),
        ("", ["任天堂"], 0.0, 0.0),
    ],
)
def test_chinese_answers_are_scored_as_cmrc_2018_does(
    answer: str, references: list[str], match: float, overlap: float
) -> None:
    assert exact_match(answer, references, "zh") == match
    assert f1(answer, references, "zh") == pytest.approx(overlap)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_question_without_an_answer_is_answered_by_saying_nothing(language) -> None:
    assert exact_match("", [], language) == f1("", [], language) == 1.0
    assert exact_match("some 词", [], language) == f1("some 词", [], language) == 0.0


@given(st.text(max_size=12), st.lists(st.text(max_size=12), min_size=1, max_size=3), st.sampled_from(["en", "zh"]))
def test_scores_lie_between_0_and_1_and_an_answer_that_says_something_matches_itself(
    answer, references, language
) -> None:
    assert exact_match(answer, references, language) in (0.0, 1.0)
    assert 0.0 <= f1(answer, references, language) <= 1.0
    if language == "en" and normalise_english(answer):
        assert f1(answer, [*references, answer], language) == pytest.approx(1.0)
    assert exact_match(answer, [*references, answer], language) == 1.0


def test_words_of_an_answer_are_those_without_its_citations() -> None:
    assert words_of(Answer("三校合并[1, 3]。 另有【2】一校 [2]", True)) == "三校合并。 另有一校"
    assert words_of(Answer("① is a number [1].", True)) == "① is a number ."
    assert words_of(Answer("文档中没有找到答案", False)) == ""


def test_an_answer_stands_in_a_context_whatever_its_width_case_and_characters() -> None:
    passages = ["A company of KYOTO.", "任天堂株式會社是１８８９年在 京都 成立的。"]
    assert answer_in_context(passages, ["任天堂株式会社"])
    assert answer_in_context(passages, ["Osaka", "1889年"])
    assert answer_in_context(passages, ["Kyoto"])
    assert not answer_in_context(passages, ["京都市", "889", "Osaka"])
    assert not answer_in_context(passages, [])
    assert not answer_in_context(passages, [" "])
    assert not answer_in_context([], ["京都"])


def cited(*places: tuple[str, str, str]) -> Answer:
    """An answer with citations of (passage, document, quote)."""
    return Answer(
        "…",
        True,
        tuple(
            Citation(number, chunk_id, doc_id, f"docs/{doc_id}", 0, len(quote), quote)
            for number, (chunk_id, doc_id, quote) in enumerate(places, start=1)
        ),
    )


def test_a_citation_is_right_where_its_quote_holds_an_answer() -> None:
    question = Question("q", "何时成立？", answers=("1889年",))
    assert citation_precision_recall(cited(("a", "x", "它成立于１８８９年。"), ("b", "x", "它在京都。")), question) == (
        0.5,
        1.0,
    )
    assert citation_precision_recall(cited(("b", "x", "它在京都。")), question) == (0.0, 0.0)
    assert citation_precision_recall(Answer("1889年", True), question) == (0.0, 0.0)


def test_citations_of_another_file_are_wrong_and_recall_counts_the_files_that_are_named() -> None:
    question = Question("q", "?", answers=("yes",), files=("one.md", "two.md"))
    answer = cited(("a", "one.md", "Yes."), ("b", "three.md", "Yes."), ("c", "one.md", "Yes, again."))
    assert citation_precision_recall(answer, question) == (pytest.approx(2 / 3), 0.5)
    only_files = Question("q", "?", files=("docs/one.md",))
    assert citation_precision_recall(cited(("a", "one.md", "whatever")), only_files) == (1.0, 1.0)


def test_relevant_passages_are_places_too() -> None:
    question = Question("q", "?", answers=("好",))
    answer = cited(("a", "x", "好。"), ("b", "x", "好。"), ("c", "x", "坏。"))
    assert citation_precision_recall(answer, question, relevant={"a", "c"}) == (pytest.approx(1 / 3), 0.5)


def test_the_extractive_answerer_cites_the_sentence_that_answers() -> None:
    texts = ["任天堂是1889年在京都成立的公司。它最初生产花札。", "京都的天气在夏天很热。"]
    hits = [Hit(Chunk(f"p{i}", text, f"d{i}", 0, len(text)), 1.0, "unknown") for i, text in enumerate(texts)]
    answer = ExtractiveAnswerer().answer("任天堂是哪一年成立的？", hits)
    question = Question("q", "任天堂是哪一年成立的？", answers=("1889年",))
    precision, recall = citation_precision_recall(answer, question, relevant={"p0"})
    assert answer.found
    assert recall == 1.0
    assert precision > 0
    assert answer_in_context([words_of(answer)], ["1889年"])
