"""Making, opening and refusing indexes."""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import pytest

from secondpass.errors import StoreError
from secondpass.index.catalogue import Catalogue
from secondpass.index.library import Index, create_index, is_index, open_index
from secondpass.index.manifest import (
    EmbedderIdentity,
    Manifest,
    TokenEncoderIdentity,
    check,
    check_embedder,
    check_token_encoder,
    read,
)
from secondpass.index.qdrant_edge import QdrantEdgeStore
from secondpass.ingest import index_documents
from secondpass.text.terms import query_vector

MANIFEST = Manifest("sentence-1", {"max_tokens": 64, "overlap_sentences": 0})
MINI = EmbedderIdentity("迷你-embedder", "v1", 384)
COLBERT = TokenEncoderIdentity("晚交互", "r1", 16)


@pytest.fixture
def used(tmp_path: Path) -> Path:
    """An index of one Chinese and one English document."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "校史.md").write_text("# 校史\n\n2000年三校合并。", encoding="utf-8")
    (tmp_path / "docs" / "tea.md").write_text("# Tea\n\nGreen tea is not fermented.", encoding="utf-8")
    with create_index(tmp_path / "索引", MANIFEST) as index:
        index_documents([tmp_path / "docs"], index)
    return tmp_path / "索引"


def error_of(folder: Path) -> str:
    with pytest.raises(StoreError) as caught:
        open_index(folder, lock_timeout_seconds=0)
    return str(caught.value)


def test_what_was_made_can_be_opened(tmp_path: Path) -> None:
    create_index(tmp_path / "a" / "索引", MANIFEST).close()
    assert is_index(tmp_path / "a" / "索引")
    with open_index(tmp_path / "a" / "索引") as index:
        assert index.manifest == MANIFEST
        assert index.store.count() == 0


def test_an_index_with_vectors_remembers_the_embedder(tmp_path: Path) -> None:
    manifest = Manifest("sentence-1", {"max_tokens": 64, "overlap_sentences": 0}, MINI)
    create_index(tmp_path / "index", manifest).close()
    with open_index(tmp_path / "index") as index:
        assert index.manifest.embedder == MINI
        assert index.store.dimension == 384


def test_an_index_with_token_vectors_remembers_the_token_encoder(tmp_path: Path) -> None:
    manifest = replace(MANIFEST, embedder=MINI, token_encoder=COLBERT)
    create_index(tmp_path / "索引", manifest).close()
    with open_index(tmp_path / "索引") as index:
        assert index.manifest == manifest
        assert (index.store.dimension, index.store.token_dimension) == (384, 16)
    check_token_encoder(tmp_path, manifest, COLBERT)
    with pytest.raises(
        StoreError, match=r"built with token encoder '晚交互' \(16 dimensions, revision r1\); you asked for none"
    ):
        check_token_encoder(tmp_path, manifest, None)
    with pytest.raises(StoreError, match=r"built with no token encoder.*Use it without --token-encoder"):
        check_token_encoder(tmp_path, MANIFEST, COLBERT)


def test_only_an_index_with_token_vectors_needs_a_newer_version_to_be_read(tmp_path: Path) -> None:
    for name, manifest in (("plain", MANIFEST), ("tokens", replace(MANIFEST, token_encoder=COLBERT))):
        create_index(tmp_path / name, manifest).close()
    plain, tokens = (json.loads((tmp_path / name / "manifest.json").read_text()) for name in ("plain", "tokens"))
    assert (plain["format"], tokens["format"]) == (1, 2)
    assert "token_encoder" not in plain


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    assert error_of(tmp_path / "没有").startswith(f"There is no index at {tmp_path / '没有'}; make one with")


def test_an_empty_folder_is_no_index(tmp_path: Path) -> None:
    assert "is an empty folder, not an index" in error_of(tmp_path)


def test_a_file_is_no_index(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    assert "is a file, not the folder of an index" in error_of(tmp_path / "file")
    with pytest.raises(StoreError, match="an index needs a folder of its own"):
        create_index(tmp_path / "file", MANIFEST)


def test_another_folder_is_no_index_and_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("我的笔记")
    assert "not an index" in error_of(tmp_path)
    with pytest.raises(StoreError, match=r"holds other files \('notes.txt'"):
        create_index(tmp_path, MANIFEST, rebuild=True)
    assert os.listdir(tmp_path) == ["notes.txt"]


def test_an_index_is_not_made_over_another(used: Path) -> None:
    with pytest.raises(StoreError, match=r"There is an index at .* already"):
        create_index(used, MANIFEST)
    with open_index(used) as index:
        assert index.store.count() == 2


def test_rebuild_empties_the_index(used: Path) -> None:
    with create_index(used, MANIFEST, rebuild=True) as index:
        assert index.store.count() == 0
        assert index.catalogue.counts() == (0, 0)


def test_a_making_that_was_cut_off_is_made_again(tmp_path: Path) -> None:
    create_index(tmp_path / "index", MANIFEST).close()
    (tmp_path / "index" / "manifest.json").unlink()  # it is written last
    assert "its making was cut off" in error_of(tmp_path / "index")
    with create_index(tmp_path / "index", MANIFEST) as index:
        assert index.store.count() == 0


def test_an_index_that_lost_its_manifest_is_not_overwritten(used: Path) -> None:
    (used / "manifest.json").unlink()
    with pytest.raises(StoreError, match="holds documents, but has lost its manifest"):
        create_index(used, MANIFEST)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "is damaged, it is no JSON"),
        ("{", "is damaged, it is no JSON"),
        ("[]", "a field is missing or unknown"),
        ('{"format": 1}', "a field is missing or unknown"),
        ('{"format": "1"}', "a field is missing or unknown"),
    ],
)
def test_a_damaged_manifest_is_named(used: Path, content: str, reason: str) -> None:
    (used / "manifest.json").write_text(content)
    assert reason in error_of(used)
    assert str(used / "manifest.json") in error_of(used)


def test_a_manifest_of_no_text_is_damaged(used: Path) -> None:
    (used / "manifest.json").write_bytes(b"\xff\xfe\x00")
    assert "is damaged" in error_of(used)


def test_a_newer_format_is_refused(used: Path) -> None:
    fields = json.loads((used / "manifest.json").read_text())
    (used / "manifest.json").write_text(json.dumps(fields | {"format": 99, "new_field": 1}))
    assert "has format 99" in error_of(used)
    assert "upgrade" in error_of(used)


def test_another_word_analysis_is_refused(used: Path) -> None:
    fields = json.loads((used / "manifest.json").read_text())
    (used / "manifest.json").write_text(json.dumps(fields | {"analyzer": "other-terms-9"}))
    assert "other-terms-9" in error_of(used)


def test_an_open_index_is_not_opened_twice(used: Path) -> None:
    with open_index(used):
        assert f"is in use by process {os.getpid()}" in error_of(used)
    open_index(used).close()


def test_a_refused_index_is_not_left_locked(used: Path) -> None:
    good = (used / "manifest.json").read_text()
    (used / "manifest.json").write_text("{")
    error_of(used)
    (used / "manifest.json").write_text(good)
    with open_index(used, lock_timeout_seconds=0) as index:
        assert index.store.count() > 0


@pytest.mark.parametrize("pattern", ["catalogue.sqlite", "store/segments/*/segment.json", "store/wal/open-1"])
def test_a_damaged_file_is_named_in_one_sentence(used: Path, pattern: str) -> None:
    for path in used.glob(pattern):
        with path.open("r+b") as file:
            file.write(b"\xff" * 100)
    assert "is damaged" in error_of(used)
    assert "--rebuild" in error_of(used)


def test_a_store_that_lost_its_points_is_noticed(used: Path) -> None:
    for path in used.glob("store/segments/*/mutable_id_tracker.mappings"):
        path.unlink()
    shutil.rmtree(used / "store" / "wal")  # it would bring them back
    assert "should have 2 chunks and has 0" in error_of(used)


def test_chunks_that_lie_in_two_segments_are_put_into_one(used: Path) -> None:
    with open_index(used) as index:
        question = query_vector("三校合并 tea")
        wanted = index.store.search_terms(question, 5)
    [segment] = (used / "store" / "segments").iterdir()
    shutil.copytree(segment, segment.parent / str(uuid.uuid4()))  # what a killed optimisation leaves
    store = QdrantEdgeStore(used / "store", None)
    assert store.has_doubles()
    store.close()
    with open_index(used) as index:
        assert not index.store.has_doubles()
        assert index.store.search_terms(question, 5) == wanted
        assert index.unfinished() == []


def test_a_document_comes_back_as_it_was_indexed(used: Path) -> None:
    with open_index(used) as index:
        document = index.document("docs/校史.md")
        assert document is not None
        assert (document.title, document.source) == ("校史", str(used.parent / "docs" / "校史.md"))
        for chunk in index.store.chunks_of("docs/校史.md"):
            assert document.text[chunk.start : chunk.end] == chunk.text
        assert index.document("docs/没有.md") is None


def test_an_unfinished_document_is_not_given_out(used: Path) -> None:
    catalogue = Catalogue(used / "catalogue.sqlite")
    catalogue.begin([("docs/校史.md", "s", "r")])
    catalogue.close()
    with open_index(used) as index:
        assert index.document("docs/校史.md") is None
        assert index.unfinished() == ["docs/校史.md"]


def test_a_folder_that_may_not_be_written_is_named(
    used: Path, as_ordinary_user: Callable[[Path], AbstractContextManager[None]]
) -> None:
    (used / "lock").unlink(missing_ok=True)
    with as_ordinary_user(used):
        used.chmod(0o500)
        said = error_of(used)
        used.chmod(0o700)
    assert "may write" in said


def test_another_embedder_is_refused_with_what_to_do(used: Path) -> None:
    with_vectors = Manifest("sentence-1", {"max_tokens": 64, "overlap_sentences": 0}, MINI)
    check_embedder(used, with_vectors, MINI)
    with pytest.raises(StoreError) as caught:
        check_embedder(used, with_vectors, EmbedderIdentity("other", "v1", 1024))
    assert "built with embedder '迷你-embedder' (384 dimensions, revision v1)" in str(caught.value)
    assert "you asked for embedder 'other' (1024 dimensions, revision v1)" in str(caught.value)
    assert "Use --embedder 迷你-embedder, or build a new index with --index OTHER" in str(caught.value)


def test_vectors_for_an_index_without_are_refused(used: Path) -> None:
    with pytest.raises(StoreError, match="built with no embedder; you asked for embedder 'other'"):
        check_embedder(used, MANIFEST, EmbedderIdentity("other", "", 3))


def test_another_chunk_size_is_refused(used: Path) -> None:
    check(used, read(used), MANIFEST)
    with pytest.raises(StoreError, match=r"cut by sentence-1 \(max_tokens 64.*you asked for .*max_tokens 128"):
        check(used, read(used), Manifest("sentence-1", {"max_tokens": 128, "overlap_sentences": 0}))


def test_closing_twice_does_no_harm(used: Path) -> None:
    index: Index = open_index(used)
    index.close()
    index.close()
    with open_index(used) as again:
        assert again.store.count() > 0
