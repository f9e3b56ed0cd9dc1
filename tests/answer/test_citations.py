import pytest
from hypothesis import given
from hypothesis import strategies as st

from secondpass.answer.citations import check_citations, find_marks
from secondpass.types import Chunk

SCHOOLS = Chunk(
    "a", "学校很大。2000年西安交通大学、西安医科大学、陕西财经学院三校合并。", "d1", 100, 140, source="校史.md"
)
CORS = Chunk("b", "Browsers cache CORS responses. The default is 600 seconds.", "d2", 0, 58)


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("三校合并[1]。", [(1,)]),
        ("三校[1][2]。", [(1,), (2,)]),
        ("三校[1, 3]、两校[2，3]。", [(1, 3), (2, 3)]),
        ("【1】和［２］和〔3〕", [(1,), (2,), (3,)]),
        ("见[1-3]与[2–2]", [(1, 2, 3), (2,)]),
        ("见①和⑫", [(1,), (12,)]),
        ("[Passage 2] says so, [文档 3]也是", [(2,), (3,)]),
        ("[3-1]", [(3, 1)]),
        ("[1][1, 1]", [(1,), (1,)]),
        ("a[i] = b[x1], [link](1), (2), [^1], 2000年 [2000]", []),
    ],
)
def test_the_writings_of_a_citation_are_read(text: str, numbers: list[tuple[int, ...]]) -> None:
    assert [mark.numbers for mark in find_marks(text)] == numbers


def test_a_supported_citation_points_at_its_sentence_in_the_document() -> None:
    checked = check_citations("西安交大由西安交通大学、西安医科大学和陕西财经学院合并而成【1】。", [SCHOOLS, CORS])
    assert checked.text == "西安交大由西安交通大学、西安医科大学和陕西财经学院合并而成[1]。"
    assert checked.warnings == ()
    (citation,) = checked.citations
    assert citation.quote == "2000年西安交通大学、西安医科大学、陕西财经学院三校合并。"
    assert (citation.number, citation.start, citation.end) == (1, 105, 100 + len(SCHOOLS.text))
    assert (citation.doc_id, citation.source) == ("d1", "校史.md")


def test_a_citation_of_a_passage_that_was_not_given_is_removed_and_named() -> None:
    checked = check_citations("Browsers cache responses for 600 seconds [2, 7] [9].", [SCHOOLS, CORS])
    assert checked.text == "Browsers cache responses for 600 seconds [2]."
    assert [citation.number for citation in checked.citations] == [2]
    assert checked.warnings == (
        "citation [7] was removed: there are only passages 1 to 2",
        "citation [9] was removed: there are only passages 1 to 2",
    )


@pytest.mark.parametrize(
    ("said", "passage"),
    [
        ("北京大学创办于京师大学堂时期，位于海淀区 [1]。", SCHOOLS),
        ("Penguins live in Antarctica and eat fish [1].", CORS),
    ],
)
def test_a_sentence_that_its_passage_does_not_support_is_named(said: str, passage: Chunk) -> None:
    (warning,) = check_citations(said, [passage]).warnings
    assert warning.startswith("citation [1] is not supported by the passage: ")


def test_a_number_that_the_passage_does_not_hold_is_named() -> None:
    checked = check_citations("Browsers cache CORS responses for 900 seconds [1].", [CORS])
    assert checked.warnings[0].startswith("citation [1] is not supported by the passage, which does not mention 900")
    assert check_citations("三校于二〇〇〇年合并为西安交通大学 [1]。", [SCHOOLS]).warnings == ()


def test_another_language_is_not_called_unsupported() -> None:
    checked = check_citations("The three schools were merged in the year 2000 [1].", [SCHOOLS])
    assert checked.warnings[0].startswith("citation [1] could not be checked, the passage is in another language")
    assert checked.citations[0].quote == SCHOOLS.text


def test_each_sentence_is_checked_against_its_own_passage() -> None:
    text = "三校合并为西安交通大学。[1] 浏览器很快 [2]。\nThe default is 600 seconds. [2]"
    checked = check_citations(text, [SCHOOLS, CORS])
    assert [citation.number for citation in checked.citations] == [1, 2, 2]
    assert len(checked.warnings) == 1


def test_circled_numbers_cite_only_where_it_is_asked_for() -> None:
    assert check_citations("三校合并①。", [SCHOOLS]).text == "三校合并①。"
    assert check_citations("三校合并①。", [SCHOOLS], circled=True).text == "三校合并[1]。"


def test_a_text_without_citations_is_left_alone() -> None:
    checked = check_citations("三校合并。", [SCHOOLS])
    assert (checked.text, checked.citations, checked.warnings) == ("三校合并。", (), ())


@given(st.text(alphabet="三校合并a [1]【２】9,，-。.\n①"), st.integers(0, 3))
def test_a_checked_text_cites_only_passages_that_were_given(text: str, count: int) -> None:
    checked = check_citations(text, [SCHOOLS, CORS, SCHOOLS][:count])
    cited = {number for mark in find_marks(checked.text, allow_circled=False) for number in mark.numbers}
    assert cited <= set(range(1, count + 1))
    assert {citation.number for citation in checked.citations} <= cited


@given(st.text(alphabet="三校合并a [1]【２】9,，-。.\n"))
def test_checking_twice_changes_nothing(text: str) -> None:
    once = check_citations(text, [SCHOOLS, CORS])
    assert check_citations(once.text, [SCHOOLS, CORS]).text == once.text
