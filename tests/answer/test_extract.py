from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secondpass.answer.evidence import find_evidence
from secondpass.answer.extract import ExtractiveAnswerer
from secondpass.answer.phrases import NOT_FOUND
from secondpass.types import Chunk, Hit

MERGED = "2000年国务院决定将西安交通大学、西安医科大学、陕西财经学院三校合并，组建新的西安交通大学。"
CLUBS = "学校拥有国家大学生文化素质教育基地和156个学生社团，科技、文艺、体育等活动丰富多彩。"
XIAN = f"# 西安交通大学（节选）\n\n西安交通大学是我国最早兴办的著名高等学府。{MERGED}\n{CLUBS}"
CORS = (
    "# CORS\n\nThe following arguments are supported:\n\n"
    "* `allow_origins` - A list of origins that should be permitted to make cross-origin requests.\n"
    "* `max_age` - Sets a maximum time in seconds for browsers to cache CORS responses. Defaults to `600`.\n"
)
HTTPS = "证书过去很贵。但随后 Let's Encrypt 创建了。它是 Linux 基金会的一个项目。它以自动方式免费提供 HTTPS 证书。"
POTATO = "土豆切丝，用清水洗去淀粉，大火快炒三分钟，加醋和盐。"
SCHOOL = "该中学于1969年由香港教育工作者联会创办，现有学生八百人。"


def hit(text: str, name: str = "a", start: int = 0, source: str = "") -> Hit:
    return Hit(Chunk(name, text, f"doc-{name}", start, start + len(text), source=source), 1.0, "bm25")


def hits(*texts: str) -> list[Hit]:
    return [hit(text, str(number)) for number, text in enumerate(texts)]


@pytest.mark.parametrize(
    "question", ["西安交大由哪几个学校合并的", "西安交大由哪几个学校组成", "西安交大是由哪三所學校合併的？"]
)
def test_the_tutorials_question_is_answered_by_its_sentence(question: str) -> None:
    answer = ExtractiveAnswerer().answer(question, hits(SCHOOL, XIAN, POTATO))
    assert answer.found
    assert answer.text.startswith(f"{MERGED} [2]")
    assert answer.citations[0].quote == MERGED
    assert not answer.warnings


def test_a_number_asked_for_is_in_the_answer() -> None:
    answer = ExtractiveAnswerer().answer("西安交大有多少个学生社团？", hits(SCHOOL, XIAN))
    assert answer.text == f"{CLUBS} [2]"


def test_a_value_in_the_next_sentence_is_quoted_with_its_subject() -> None:
    question = "For how many seconds do browsers cache CORS responses by default?"
    answer = ExtractiveAnswerer().answer(question, [hit(CORS)])
    assert answer.text == (
        "`max_age` - Sets a maximum time in seconds for browsers to cache CORS responses. Defaults to `600`. [1]"
    )


def test_a_sentence_that_leans_back_is_quoted_with_the_ones_before() -> None:
    answer = ExtractiveAnswerer().answer("免费的 HTTPS 证书由哪个项目提供？", [hit(HTTPS)])
    assert "Let's Encrypt" in answer.text
    assert answer.text.endswith("它以自动方式免费提供 HTTPS 证书。 [1]")


def test_citations_point_into_the_document() -> None:
    document = "前言。" * 30 + XIAN
    chunk = Chunk("c", XIAN, "d", len(document) - len(XIAN), len(document), page=3, source="校史.md")
    answer = ExtractiveAnswerer().answer("西安交大由哪几个学校合并的", [Hit(chunk, 1.0, "bm25")])
    citation = answer.citations[0]
    assert document[citation.start : citation.end] == citation.quote == MERGED
    assert (citation.number, citation.chunk_id, citation.doc_id) == (1, "c", "d")
    assert (citation.source, citation.page) == ("校史.md", 3)


@pytest.mark.parametrize(
    "question",
    ["珠穆朗玛峰有多高？", "谁是法国总统？", "Who won the 2018 World Cup?", "How do I bake sourdough bread?"],
)
def test_what_the_passages_do_not_say_is_not_answered(question: str) -> None:
    answer = ExtractiveAnswerer().answer(question, hits(XIAN, POTATO, CORS, SCHOOL))
    assert not answer.found
    assert answer.text in NOT_FOUND.values()
    assert answer.citations == ()
    assert len(answer.hits) == 4


def test_no_passages_are_no_answer() -> None:
    assert ExtractiveAnswerer().answer("西安交大有多少个学生社团？", []).text == "文档中没有找到答案"
    assert ExtractiveAnswerer().answer("How many clubs are there?", []).text == "not found in the documents"


def test_a_question_in_another_language_is_refused_with_the_reason() -> None:
    answer = ExtractiveAnswerer().answer("Which three schools were merged into the new university?", [hit(XIAN)])
    assert not answer.found
    assert answer.warnings == (
        "1 of 1 passages are not in the language of the question (English); "
        "an extractive answer cannot judge those, a chat model can.",
    )


@pytest.mark.parametrize(
    "bait",
    [
        "# 西安交大由哪几个学校合并的\n",
        "西安交大由哪几个学校合并的？\n",
        "```\nmerged = schools(西安交大, 由哪几个学校合并的)\n```\n",
    ],
)
def test_repeating_the_question_is_no_answer(bait: str) -> None:
    answer = ExtractiveAnswerer(max_sentences=1).answer("西安交大由哪几个学校合并的", [hit(bait + MERGED)])
    assert answer.citations[0].quote == MERGED


def test_the_min_support_and_the_number_of_sentences_are_the_callers() -> None:
    question = "西安交大由哪几个学校合并的"
    assert not ExtractiveAnswerer(min_support=1.0).answer(question, [hit(XIAN)]).found
    eager = ExtractiveAnswerer(max_sentences=1, min_support=0.0).answer("珠穆朗玛峰有多高？", [hit(XIAN)])
    assert eager.found
    assert len(eager.citations) == 1


def test_the_same_sentence_in_two_passages_is_said_once() -> None:
    answer = ExtractiveAnswerer().answer("西安交大由哪几个学校合并的", hits(XIAN, MERGED))
    assert answer.text.count("三校合并") == 1


def test_evidence_names_the_places_for_highlights() -> None:
    texts = [SCHOOL, XIAN, CORS]
    findings = find_evidence("西安交大由哪几个学校合并的", hits(*texts))
    assert findings.support > 0.8
    for one in findings.evidence:
        assert texts[one.rank - 1][one.span.start : one.span.end] == one.text
    assert [one.score for one in findings.evidence] == sorted((one.score for one in findings.evidence), reverse=True)


def test_the_files_name_tells_what_a_passage_is_about() -> None:
    text = "推荐的算法是 Argon2。它支持多种安全的哈希算法。"
    question = "FastAPI 教程推荐哪种密码哈希算法？"
    named, unnamed = (find_evidence(question, [hit(text, source=source)]) for source in ("fastapi/教程.md", ""))
    assert named.support > unnamed.support


ANY = st.text(alphabet="三校合并西安交大CORS 600。？\n#`- a[1]", max_size=60)


@given(ANY, st.lists(ANY, max_size=4))
def test_any_text_gives_an_answer_whose_quotes_stand_in_its_passages(question: str, texts: list[str]) -> None:
    given_hits = [replace(one, chunk=replace(one.chunk, start=7)) for one in hits(*texts)]
    answer = ExtractiveAnswerer(min_support=0.0).answer(question, given_hits)
    assert answer.found == bool(answer.citations)
    for citation in answer.citations:
        assert texts[citation.number - 1][citation.start - 7 : citation.end - 7] == citation.quote
        assert f"[{citation.number}]" in answer.text


DEMO = Path(__file__).parents[2] / "examples/documents/xianjiaoda/xianjiaoda_excerpt.md"


def test_the_tutorials_own_document_answers() -> None:
    document = DEMO.read_text(encoding="utf-8")
    answer = ExtractiveAnswerer().answer("西安交大由哪几个学校合并的", [hit(document)])
    assert answer.citations[0].quote == MERGED
