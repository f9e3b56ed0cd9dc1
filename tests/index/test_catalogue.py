"""The table of documents."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secondpass.errors import StoreError
from secondpass.index.catalogue import Catalogue, DocumentRecord, _pack, _unpack
from secondpass.types import Document, Heading

TEXT = "# 校史\n\n三校合并。\n第二页 page two"


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[Catalogue]:
    opened = Catalogue(tmp_path / "目录.sqlite")
    yield opened
    opened.close()


def line(doc_id: str, chunks: int = 2) -> tuple[DocumentRecord, Document]:
    record = DocumentRecord(doc_id, f"/docs/{doc_id}", "/docs", "hash", 10, 20, chunks, "校史", "2026-01-01T00:00:00Z")
    return record, Document(doc_id, TEXT, f"/docs/{doc_id}", "校史", (Heading(2, 1, "校史"),), (0, 13), {"数": [1]})


def test_a_document_comes_back_whole(catalogue: Catalogue) -> None:
    record, document = line("中文.md")
    catalogue.finish([(record, document)])
    assert catalogue.document("中文.md") == document
    assert catalogue.record("中文.md") == record
    assert catalogue.records() == [record]
    assert catalogue.counts() == (1, 2)


def test_what_is_being_written_counts_as_not_done(catalogue: Catalogue) -> None:
    catalogue.finish([line("a"), line("乙")])
    catalogue.begin([("乙", "/docs/乙", "/docs"), ("c", "/docs/c", "/docs")])
    assert catalogue.unfinished() == ["c", "乙"]
    assert (catalogue.record("乙"), catalogue.document("乙")) == (None, None)
    assert catalogue.counts() == (1, 2)
    assert [doc_id for doc_id, _ in catalogue.places()] == ["a", "c", "乙"]
    catalogue.finish([line("乙"), line("c")])
    assert catalogue.unfinished() == []


def test_what_is_being_removed_counts_as_not_done_until_it_is_gone(catalogue: Catalogue) -> None:
    catalogue.finish([line("a"), line("乙")])
    catalogue.begin_removal(["乙"])
    assert catalogue.unfinished() == ["乙"]
    catalogue.remove(["乙"])
    assert [record.doc_id for record in catalogue.records()] == ["a"]


def test_a_commit_that_fails_halfway_changes_nothing(catalogue: Catalogue) -> None:
    def lines() -> Iterator[tuple[DocumentRecord, Document]]:
        yield line("甲")
        raise KeyError("stop")

    with pytest.raises(KeyError):
        catalogue.finish(lines())
    assert catalogue.records() == []
    catalogue.finish([line("乙")])
    assert len(catalogue.records()) == 1


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.sqlite").write_bytes("这不是数据库".encode() * 100)
    with pytest.raises(StoreError, match=r"x.sqlite is damaged .* --rebuild"):
        Catalogue(tmp_path / "x.sqlite")


def test_skipped_places_are_kept_and_forgotten(catalogue: Catalogue) -> None:
    catalogue.note_skipped([], [("/docs/空.md", "holds no text"), ("/docs/b.doc", "save it as .docx")])
    catalogue.note_skipped(["/docs/空.md"], [("/docs/b.doc", "is of a kind that is not read")])
    assert catalogue.skipped() == [("/docs/b.doc", "is of a kind that is not read")]


@given(text=st.text(st.characters()), titles=st.lists(st.text(st.characters())))
def test_any_text_is_kept_exactly(text: str, titles: list[str]) -> None:
    headings = tuple(Heading(number, 1, title) for number, title in enumerate(titles))
    document = Document("id", text + "\ud800西", "source", "标题", headings)
    assert _unpack("id", "source", "标题", _pack(document)) == document
