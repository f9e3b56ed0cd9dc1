"""Documents in: what is new, changed, unchanged, gone, unreadable, and what stays."""

from __future__ import annotations

import functools
import http.server
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.retrieve.word_vectors import WordVectors

from secondpass.errors import InputError, StoreError
from secondpass.index import workers
from secondpass.index.library import Index, create_index, open_index
from secondpass.index.manifest import EmbedderIdentity, Manifest
from secondpass.ingest import IngestOptions, IngestReport, index_documents, token_identity_of
from secondpass.load.options import WebOptions
from secondpass.text.terms import query_vector
from secondpass.types import FloatArray

PARAMETERS = {"max_tokens": 64, "overlap_sentences": 0}


class LengthEmbedder:
    """Real numbers of a text, if poor ones: its length and its Chinese characters."""

    name, revision, dimension = "length", "1", 3

    def encode_query(self, texts: Sequence[str]) -> FloatArray:
        return self.encode_document(texts)

    def encode_document(self, texts: Sequence[str]) -> FloatArray:
        return np.array([[1, len(t) % 7, sum(c > "\u2e80" for c in t)] for t in texts], dtype=np.float32)


class Listener:
    def __init__(self) -> None:
        self.files = self.size_bytes = 0
        self.done: list[str] = []

    def start(self, files: int, size_bytes: int) -> None:
        self.files, self.size_bytes = files, size_bytes

    def advance(self, doc_ids: Sequence[str], size_bytes: int) -> None:
        self.done += doc_ids

    def message(self, text: str) -> None: ...


@pytest.fixture
def place(tmp_path: Path) -> Path:
    docs = tmp_path / "docs"
    (docs / "中文").mkdir(parents=True)
    (docs / "中文" / "校史.md").write_text("# 校史\n\n2000年三校合并，组成西安交通大学。", encoding="utf-8")
    (docs / "tea.md").write_text("# Tea\n\nGreen tea is not fermented.", encoding="utf-8")
    (docs / "hash.txt").write_text("密码用 Argon2 哈希。", encoding="utf-8")
    return tmp_path


@pytest.fixture
def index(place: Path) -> Iterator[Index]:
    with create_index(place / "index", Manifest("sentence-1", PARAMETERS)) as opened:
        yield opened


def counts(report: IngestReport) -> tuple[int, int, int, int]:
    return report.added, report.changed, report.unchanged, report.deleted


def documents(index: Index) -> list[str]:
    return [record.doc_id for record in index.catalogue.records()]


def best(index: Index, question: str) -> str | None:
    found = index.store.search_terms(query_vector(question), 1)
    return found[0][0].doc_id if found else None


def test_a_folder_is_indexed_and_found(place: Path, index: Index) -> None:
    report = index_documents([place / "docs"], index)
    assert counts(report) == (3, 0, 0, 0)
    assert report.chunks == index.store.count() == 3
    assert report.size_bytes == sum(path.stat().st_size for path in (place / "docs").rglob("*.*"))
    assert best(index, "哪三校合并？") == "docs/中文/校史.md"
    assert best(index, "fermented tea") == "docs/tea.md"


def test_words_of_the_title_find_the_chunk(place: Path, index: Index) -> None:
    (place / "docs" / "红楼梦.txt").write_text("宝玉和黛玉。", encoding="utf-8")
    index_documents([place / "docs"], index)
    assert best(index, "红楼梦") == "docs/红楼梦.txt"


def test_what_did_not_change_is_not_read_again(place: Path, index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    index_documents([place / "docs"], index)
    monkeypatch.setattr("secondpass.preparation.read", None)  # calling it would fail
    listener = Listener()
    assert counts(index_documents([place / "docs"], index, progress=listener)) == (0, 0, 3, 0)
    assert len(listener.done) == listener.files == 3


def test_a_touched_file_with_the_same_content_is_not_written_again(place: Path, index: Index) -> None:
    index_documents([place / "docs"], index)
    os.utime(place / "docs" / "tea.md", ns=(1, 1))
    assert counts(index_documents([place / "docs"], index)) == (0, 0, 3, 0)
    record = index.catalogue.record("docs/tea.md")
    assert record is not None
    assert record.modified_ns == 1


def test_a_changed_file_replaces_what_it_had(place: Path, index: Index) -> None:
    index_documents([place / "docs"], index)
    (place / "docs" / "tea.md").write_text("# 咖啡\n\n咖啡不是茶。", encoding="utf-8")
    assert counts(index_documents([place / "docs"], index)) == (0, 1, 2, 0)
    assert best(index, "fermented") is None
    assert best(index, "咖啡") == "docs/tea.md"


def test_a_deleted_file_goes(place: Path, index: Index) -> None:
    index_documents([place / "docs"], index)
    (place / "docs" / "中文" / "校史.md").unlink()
    assert counts(index_documents([place / "docs"], index)) == (0, 0, 2, 1)
    assert documents(index) == ["docs/hash.txt", "docs/tea.md"]
    assert best(index, "三校合并") is None


def test_files_from_elsewhere_stay(place: Path, index: Index) -> None:
    other = place / "docs-2"
    other.mkdir()
    (other / "另一篇.md").write_text("另一篇文章。", encoding="utf-8")
    index_documents([place / "docs", other], index)
    (other / "另一篇.md").unlink()
    assert counts(index_documents([place / "docs"], index)) == (0, 0, 3, 0)
    assert "docs-2/另一篇.md" in documents(index)
    assert counts(index_documents([other], index)) == (0, 0, 0, 1)


def test_a_part_of_a_folder_can_be_brought_up_to_date(place: Path, index: Index) -> None:
    index_documents([place / "docs"], index)
    (place / "docs" / "tea.md").unlink()
    (place / "docs" / "中文" / "校史.md").unlink()
    assert counts(index_documents([place / "docs" / "中文"], index)) == (0, 0, 0, 1)
    assert "docs/tea.md" in documents(index)


def test_a_file_that_became_empty_goes_and_is_named(place: Path, index: Index) -> None:
    index_documents([place / "docs"], index)
    (place / "docs" / "tea.md").write_text("")
    report = index_documents([place / "docs"], index)
    assert report.deleted == 1
    assert [skip.location for skip in report.skipped] == [str(place / "docs" / "tea.md")]
    assert documents(index) == ["docs/hash.txt", "docs/中文/校史.md"]


def test_a_file_that_grew_too_large_keeps_what_it_had_and_is_named(place: Path, index: Index) -> None:
    index_documents([place / "docs"], index)
    (place / "docs" / "tea.md").write_text("茶" * 1000, encoding="utf-8")
    report = index_documents([place / "docs"], index, IngestOptions(max_bytes=1000))
    assert (report.kept, report.deleted, len(report.skipped)) == (1, 0, 1)
    assert best(index, "fermented") == "docs/tea.md"
    assert [location for location, _ in index.catalogue.skipped()] == [str(place / "docs" / "tea.md")]


def test_a_file_without_permission_keeps_what_it_had(
    place: Path, index: Index, as_ordinary_user: Callable[[Path], AbstractContextManager[None]]
) -> None:
    index_documents([place / "docs"], index)
    with as_ordinary_user(place):
        (place / "docs" / "中文").chmod(0)
        report = index_documents([place / "docs"], index)
        (place / "docs" / "中文").chmod(0o700)
    assert (report.kept, report.deleted) == (1, 0)
    assert "ermission" in report.skipped[0].reason


def test_a_file_that_vanishes_between_finding_and_reading_keeps_what_it_had(
    place: Path, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    index_documents([place / "docs"], index)
    (place / "docs" / "tea.md").write_text("changed 变了")

    def fail(*_: object) -> None:
        raise InputError("tea.md cannot be read (Input/output error).")

    monkeypatch.setattr("secondpass.preparation.read", fail)
    report = index_documents([place / "docs"], index)
    assert (report.kept, report.deleted, report.unchanged) == (1, 0, 2)


def test_skipped_files_are_forgotten_once_they_are_read(place: Path, index: Index) -> None:
    (place / "docs" / "空.md").write_text("")
    assert len(index_documents([place / "docs"], index).skipped) == 1
    (place / "docs" / "空.md").write_text("不空了。", encoding="utf-8")
    assert index_documents([place / "docs"], index).skipped == ()
    assert index.catalogue.skipped() == []


def test_a_missing_root_changes_nothing(place: Path, index: Index) -> None:
    index_documents([place / "docs"], index)
    with pytest.raises(InputError, match="没有"):
        index_documents([place / "没有"], index)
    assert len(documents(index)) == 3


def test_unfinished_documents_are_done_again(place: Path, index: Index) -> None:
    index_documents([place / "docs"], index)
    index.catalogue.begin([("docs/tea.md", str(place / "docs" / "tea.md"), str(place / "docs"))])
    index.store.replace(["docs/tea.md"], [])
    report = index_documents([place / "docs"], index)
    assert (report.added, report.unchanged) == (1, 2)
    assert index.unfinished() == []
    assert best(index, "fermented tea") == "docs/tea.md"


def test_an_unfinished_document_whose_file_is_gone_goes(place: Path, index: Index) -> None:
    index_documents([place / "docs"], index)
    index.catalogue.begin([("docs/tea.md", str(place / "docs" / "tea.md"), str(place / "docs"))])
    (place / "docs" / "tea.md").unlink()
    assert index_documents([place / "docs"], index).deleted == 1
    assert (index.unfinished(), index.store.count()) == ([], 2)


def test_progress_hears_of_a_document_only_when_it_is_on_the_disk(place: Path, index: Index) -> None:
    class Strict(Listener):
        def advance(self, doc_ids: Sequence[str], size_bytes: int) -> None:
            super().advance(doc_ids, size_bytes)
            for doc_id in doc_ids:
                assert index.document(doc_id) is not None
                assert index.store.chunks_of(doc_id)

    listener = Strict()
    index_documents([place / "docs"], index, progress=listener)
    assert sorted(listener.done) == documents(index)


def test_an_embedder_gives_vectors(place: Path) -> None:
    identity = EmbedderIdentity("length", "1", 3)
    with create_index(place / "dense", Manifest("sentence-1", PARAMETERS, identity)) as index:
        index_documents([place / "docs"], index, embedder=LengthEmbedder())
        query = LengthEmbedder().encode_query(["# 校史\n\n2000年三校合并，组成西安交通大学。"])[0]
        assert len(index.store.search_vector(query, 5)) == 3
        with pytest.raises(StoreError, match="built with embedder 'length'"):
            index_documents([place / "docs"], index)


def test_a_token_encoder_gives_token_vectors(place: Path) -> None:
    manifest = Manifest("sentence-1", PARAMETERS, token_encoder=token_identity_of(WordVectors()))
    with create_index(place / "tokens", manifest) as index:
        index_documents([place / "docs"], index, token_encoder=WordVectors())
        query = WordVectors().encode_query_tokens("组成西安交通大学")
        assert "西安交通大学" in index.store.search_tokens(query, 5)[0][0].text
        with pytest.raises(StoreError, match="built with token encoder 'words'"):
            index_documents([place / "docs"], index)


def test_several_processes_do_the_same_as_one(place: Path, index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(150):
        (place / "docs" / f"{number}.md").write_text(
            f"# 文件 {number}\n\n第{number}号。Tea {number}.", encoding="utf-8"
        )
    index_documents([place / "docs"], index)
    monkeypatch.setattr(workers, "_WORTH_BYTES", 0)
    with create_index(place / "second", Manifest("sentence-1", PARAMETERS)) as other:
        index_documents([place / "docs"], other, IngestOptions(processes=2))
        assert documents(other) == documents(index)
        question = query_vector("第 7 号 tea 149")
        assert other.store.search_terms(question, 20) == index.store.search_terms(question, 20)


@pytest.fixture
def website(place: Path) -> Iterator[str]:
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None: ...

    handler = functools.partial(Quiet, directory=str(place / "docs"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_a_page_is_fetched_again_and_kept_when_the_server_fails(place: Path, index: Index, website: str) -> None:
    page = "<html><title>茶</title><body><article><p>绿茶不发酵，红茶全发酵。</p></article></body></html>"
    (place / "docs" / "page.html").write_text(page, encoding="utf-8")
    url = f"http://{website}/page.html"
    options = IngestOptions(web=WebOptions(allow_private=True, timeout_seconds=5))
    assert counts(index_documents([url], index, options)) == (1, 0, 0, 0)
    assert counts(index_documents([url], index, options)) == (0, 0, 1, 0)
    assert best(index, "绿茶发酵") == url
    (place / "docs" / "page.html").unlink()
    report = index_documents([url], index, options)
    assert (report.kept, report.deleted, len(report.skipped)) == (1, 0, 1)


NAMES = ["甲.md", "b.md", "子/丙.txt", "子/d.md"]
a_tree = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(["西安。", "Tea 茶。", "密码哈希。", ""]))


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(trees=st.lists(a_tree, min_size=1, max_size=4))
def test_after_every_run_the_index_is_what_the_folder_is(
    tmp_path_factory: pytest.TempPathFactory, trees: list[dict[str, str]]
) -> None:
    place = tmp_path_factory.mktemp("trees")
    (place / "docs" / "子").mkdir(parents=True)
    create_index(place / "index", Manifest("sentence-1", PARAMETERS)).close()
    for tree in trees:
        for name in NAMES:
            (place / "docs" / name).unlink(missing_ok=True)
        for name, text in tree.items():
            (place / "docs" / name).write_text(text, encoding="utf-8")
        with open_index(place / "index") as index:
            index_documents([place / "docs"], index)
            wanted = sorted(f"docs/{name}" for name, text in tree.items() if text)
            assert documents(index) == wanted
            assert index.store.count() == len(wanted)
            for doc_id in wanted:
                assert [chunk.text for chunk in index.store.chunks_of(doc_id)] == [tree[doc_id.removeprefix("docs/")]]
