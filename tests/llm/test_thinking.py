from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from secondpass.llm.thinking import answer_pieces, answer_text

PARTS = st.lists(
    st.sampled_from(["<think>", "</think>", "<thi", "nk>", "<", ">", "三校 [1]", "think", " ", "\n", "答"])
)


def cut(text: str, places: list[int]) -> list[str]:
    borders = sorted({0, len(text), *(place % (len(text) + 1) for place in places)})
    return [text[a:b] for a, b in pairwise(borders)]


@given(PARTS, st.lists(st.integers(0, 200)))
def test_how_a_text_is_cut_into_pieces_does_not_matter(parts: list[str], places: list[int]) -> None:
    text = "".join(parts)
    assert "".join(answer_pieces(cut(text, places))) == "".join(answer_pieces([text]))


@given(st.text(alphabet="abc <>三校。"))
def test_text_without_marks_is_kept(text: str) -> None:
    assert "".join(answer_pieces(list(text))) == text.lstrip()


def test_a_thought_in_the_middle_is_removed() -> None:
    assert answer_text("三校合并 [1]。<think>[9]?</think>完") == "三校合并 [1]。完"


def test_a_thought_that_never_ends_leaves_nothing() -> None:
    assert answer_text("<think>是[3]吗") == ""


def test_an_answer_about_the_mark_keeps_it() -> None:
    assert answer_text("R1 writes <think> before it answers.") == "R1 writes <think> before it answers."
