"""Chunks of whole sentences."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secondpass.chunk.sentence import SentenceChunker
from secondpass.errors import InputError
from secondpass.text.language import estimate_tokens
from secondpass.types import Document, Heading

CHINESE = "西安交通大学位于陕西省西安市。学校是国家教育部直属重点大学！它的历史可以追溯到一八九六年吗？可以。"
ENGLISH = "The school was founded in 1896. It moved inland in 1956. Dr. Wu led it. Does it still grow? It does!"


def document(text: str, *headings: Heading, pages: tuple[int, ...] = ()) -> Document:
    return Document("d", text, source="d.md", title="D", headings=headings, pages=pages)


@pytest.mark.parametrize("text", [CHINESE * 8, " ".join([ENGLISH] * 8)], ids=["zh", "en"])
def test_chunks_end_where_sentences_end(text: str) -> None:
    chunks = SentenceChunker(max_tokens=32).chunk(document(text))
    assert len(chunks) > 4
    assert all(chunk.text[-1] in "。！？.!?" for chunk in chunks)
    assert all(estimate_tokens(chunk.text) <= 34 for chunk in chunks)


def test_pieces_of_a_long_section_are_about_equal() -> None:
    chunks = SentenceChunker(max_tokens=64).chunk(document(CHINESE * 5))
    sizes = [estimate_tokens(chunk.text) for chunk in chunks]
    assert min(sizes) > max(sizes) / 2


def test_a_section_starts_a_chunk_and_small_sections_share_one() -> None:
    text = f"学校\n\n{CHINESE * 3}\n\n历史\n\n很长。\n\n现在\n\n很短。"
    headings = (Heading(0, 1, "学校"), Heading(text.index("历史\n"), 2, "历史"), Heading(text.index("现在"), 2, "现在"))
    chunks = SentenceChunker(max_tokens=128).chunk(document(text, *headings))
    assert [chunk.heading_path for chunk in chunks] == [("学校",), ("学校",)]
    assert chunks[1].text.startswith("历史")
    assert "现在" in chunks[1].text


def test_the_heading_path_holds_the_headings_above_outermost_first() -> None:
    text = f"A\n\n{ENGLISH}\n\nB\n\n{ENGLISH}\n\nC\n\n{ENGLISH}"
    headings = (Heading(0, 1, "A"), Heading(text.index("B\n"), 2, "B"), Heading(text.index("C\n"), 2, "C"))
    chunks = SentenceChunker(max_tokens=40).chunk(document(text, *headings))
    assert [chunk.heading_path for chunk in chunks] == [("A",), ("A", "B"), ("A", "C")]


def test_a_chunk_knows_its_page() -> None:
    text = CHINESE * 6
    chunks = SentenceChunker(max_tokens=48).chunk(document(text, pages=(0, len(CHINESE) * 3)))
    assert chunks[0].page == 1
    assert chunks[-1].page == 2


def test_an_overlap_repeats_the_last_sentences() -> None:
    chunks = SentenceChunker(max_tokens=48, overlap_sentences=1).chunk(document(CHINESE * 6))
    assert all(later.start < earlier.end for earlier, later in pairwise(chunks))
    assert len({chunk.start for chunk in chunks}) == len(chunks)


def test_a_sentence_longer_than_a_chunk_is_cut_after_a_comma() -> None:
    chunks = SentenceChunker(max_tokens=32).chunk(document("西安交通大学的前身是南洋公学，" * 20))
    assert all(chunk.text.endswith("，") for chunk in chunks)


def test_identity_depends_on_document_place_and_text() -> None:
    chunker = SentenceChunker(max_tokens=32)
    assert chunker.chunk(document(CHINESE)) == chunker.chunk(document(CHINESE))
    repeated = chunker.chunk(document((CHINESE + "\n") * 4))
    assert len({chunk.id for chunk in repeated}) == len(repeated)


def test_an_empty_document_has_no_chunks() -> None:
    assert SentenceChunker().chunk(document(" \n ")) == []


@pytest.mark.parametrize(("size", "overlap"), [(15, 0), (64, -1)])
def test_impossible_sizes_are_refused(size: int, overlap: int) -> None:
    with pytest.raises(InputError, match="must be"):
        SentenceChunker(size, overlap)


@given(
    st.text(alphabet=st.sampled_from("abc 。，.!?\n西安大学\U0001f600\u3000"), max_size=400),
    st.integers(16, 64),
    st.integers(0, 3),
    st.lists(st.integers(0, 400), max_size=4),
)
def test_nothing_is_lost_and_every_chunk_is_a_slice(text: str, size: int, overlap: int, cuts: list[int]) -> None:
    headings = tuple(Heading(cut, 1 + cut % 3, "h") for cut in sorted({cut for cut in cuts if cut < len(text)}))
    chunks = SentenceChunker(size, overlap).chunk(document(text, *headings))
    covered = [False] * len(text)
    for chunk in chunks:
        assert text[chunk.start : chunk.end] == chunk.text
        assert estimate_tokens(chunk.text) <= size * 1.3 + 4
        covered[chunk.start : chunk.end] = [True] * (chunk.end - chunk.start)
    assert all(done or text[place].isspace() for place, done in enumerate(covered))
    assert [chunk.start for chunk in chunks] == sorted(chunk.start for chunk in chunks)
