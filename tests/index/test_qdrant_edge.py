"""What the persistent store does beyond the contract: optimised segments, opening, and its errors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from secondpass.errors import StoreError
from secondpass.index import qdrant_edge as edge
from secondpass.index.disk import RESERVE_BYTES
from secondpass.index.entries import make_entries
from secondpass.index.memory import MemoryStore
from secondpass.index.order import Found
from secondpass.index.qdrant_edge import QdrantEdgeStore
from secondpass.text.terms import query_vector
from secondpass.types import Chunk, Entry, TermVector

TERMS, TERMS_OF_A_CHUNK = 3_000, 400


@pytest.fixture
def random_numbers() -> np.random.Generator:
    return np.random.default_rng(7)


def random_entries(random_numbers: np.random.Generator, first: int, count: int) -> list[Entry]:
    """Entries with enough terms that 4,000 of them are more than the engine leaves unoptimised (10 MB)."""
    out = []
    for number in range(first, first + count):
        drawn = random_numbers.zipf(1.3, 2 * TERMS_OF_A_CHUNK) % TERMS
        ids = np.unique(drawn).astype(np.uint32)
        weights = random_numbers.uniform(0.1, 2, len(ids)).astype(np.float32)
        spread = np.unique(np.concatenate([ids, random_numbers.integers(0, TERMS, TERMS_OF_A_CHUNK, np.uint32)]))
        weights = random_numbers.uniform(0.1, 2, len(spread)).astype(np.float32)
        out.append(Entry(Chunk(str(number), f"第{number}段", f"文{number // 4}", number), TermVector(spread, weights)))
    return out


def assert_equal(got: Sequence[Found], wanted: Sequence[Found]) -> None:
    assert [score for _, score in got] == pytest.approx([score for _, score in wanted], rel=2e-6)
    assert {chunk.id for chunk, _ in got} == {chunk.id for chunk, _ in wanted}


def questions(random_numbers: np.random.Generator) -> Iterator[TermVector]:
    for count in (1, 2, 5, 20):
        ids = np.unique(random_numbers.integers(0, TERMS, count, np.uint32))
        yield TermVector(ids, random_numbers.uniform(1, 3, len(ids)).astype(np.float32))


@pytest.mark.slow
def test_optimised_segments_score_exactly_even_after_deletes_and_rewrites(
    tmp_path: Path, random_numbers: np.random.Generator
) -> None:
    exact, store = MemoryStore(), QdrantEdgeStore(tmp_path / "store", None, create=True)
    first = random_entries(random_numbers, 0, 4_000)
    both: list[MemoryStore | QdrantEdgeStore] = [exact, store]
    for one in both:
        one.replace([], first)
        one.optimize()
    assert store._shard.info().segments_count == 2  # one that is optimised, one that takes what is new
    removed = [f"文{number}" for number in range(100)]
    rewritten = random_entries(random_numbers, 800, 400)
    for question in questions(random_numbers):
        assert_equal(store.search_terms(question, 20), exact.search_terms(question, 20))
    for one in both:
        one.replace(removed, [])
        one.replace([entry.chunk.doc_id for entry in rewritten], rewritten)
    for question in questions(random_numbers):
        assert_equal(store.search_terms(question, 20), exact.search_terms(question, 20))
    store.close()
    store = QdrantEdgeStore(tmp_path / "store", None)
    assert store.count() == exact.count() == 3_600
    for question in questions(random_numbers):
        assert_equal(store.search_terms(question, 20), exact.search_terms(question, 20))
    store.close()


@pytest.mark.slow
def test_a_graph_finds_nearly_all_that_are_nearest(
    tmp_path: Path, random_numbers: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edge, "EXACT_BYTES", 1_000_000)
    exact, store = MemoryStore(64), QdrantEdgeStore(tmp_path / "store", 64, create=True)
    vectors = random_numbers.standard_normal((8_000, 64), dtype=np.float32)
    terms = query_vector("西安")
    entries = [Entry(Chunk(str(n), "西安", "文", n), terms, vector) for n, vector in enumerate(vectors)]
    exact.replace(["文"], entries)
    store.replace(["文"], entries)
    store.optimize()
    assert store._graph
    found = wanted = 0
    for query in random_numbers.standard_normal((50, 64), dtype=np.float32):
        nearest = {chunk.id for chunk, _ in exact.search_vector(query, 10)}
        found += len(nearest & {chunk.id for chunk, _ in store.search_vector(query, 10)})
        wanted += len(nearest)
    assert found / wanted > 0.9
    store.close()
    reopened = QdrantEdgeStore(tmp_path / "store", 64)
    assert reopened._graph
    reopened.close()


def token_entries(random_numbers: np.random.Generator, count: int) -> list[Entry]:
    """Chunks of 180 token vectors of 128 numbers, of length 1, four to a document."""
    out = []
    for number in range(count):
        vectors = random_numbers.standard_normal((180, 128), dtype=np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        chunk = Chunk(str(number), f"第{number}段", f"文{number // 4}", number)
        out.append(Entry(chunk, query_vector("西安"), token_vectors=vectors))
    return out


def test_token_vectors_take_two_bytes_a_number_and_score_nearly_exactly(
    tmp_path: Path, random_numbers: np.random.Generator
) -> None:
    exact, store = MemoryStore(None, 128), QdrantEdgeStore(tmp_path / "store", None, 128, create=True)
    entries = token_entries(random_numbers, 300)
    names = [entry.chunk.doc_id for entry in entries]
    for one in (exact, store):
        one.replace(names, entries)
        one.optimize()
    found = [path for path in (tmp_path / "store").glob("segments/*/vector_storage-tokens/**/*") if path.is_file()]
    assert sum(path.stat().st_blocks * 512 for path in found) < 1.2 * 2 * 300 * 180 * 128 + 2**20
    query = token_entries(random_numbers, 1)[0].token_vectors
    assert query is not None
    wanted = exact.search_tokens(query[:32], 10)
    got = store.search_tokens(query[:32], 10)
    assert [score for _, score in got] == pytest.approx([score for _, score in wanted], abs=1e-3)
    store.close()


def test_rewriting_documents_keeps_their_token_vectors(tmp_path: Path, random_numbers: np.random.Generator) -> None:
    store = QdrantEdgeStore(tmp_path / "store", None, 128, create=True)
    entries = token_entries(random_numbers, 8)
    store.replace([], entries)
    query = entries[5].token_vectors
    assert query is not None
    before = store.search_tokens(query[:32], 8)
    store.rewrite(["文0", "文1"])
    assert store.search_tokens(query[:32], 8) == before
    assert before[0][0].id == "5"
    store.close()


def test_a_second_store_on_the_same_folder_says_that_it_is_open(tmp_path: Path) -> None:
    store = QdrantEdgeStore(tmp_path / "仓", None, create=True)
    with pytest.raises(StoreError, match="is open in another process"):
        QdrantEdgeStore(tmp_path / "仓", None)
    store.close()


def test_a_folder_without_a_store_is_damaged(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"is damaged .* --rebuild"):
        QdrantEdgeStore(tmp_path / "none", None)


def test_a_panic_of_the_engine_becomes_a_sentence(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    QdrantEdgeStore(tmp_path / "store", None, create=True).close()
    [tracker] = (tmp_path / "store").glob("segments/*/vector_storage-terms/deleted/status.dat")
    tracker.write_bytes(b"")
    with pytest.raises(StoreError, match=r"is damaged .* --rebuild"):
        QdrantEdgeStore(tmp_path / "store", None)
    assert "panicked" in capfd.readouterr().err  # the engine's own words; not ours to keep back


def test_room_is_asked_for_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = QdrantEdgeStore(tmp_path / "store", None, create=True)
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=RESERVE_BYTES + 1000))
    with pytest.raises(StoreError, match=r"Only 192 MB are free at .*, indexing needs about 193 MB; what was done"):
        store.replace(["文"], make_entries([Chunk("1", "西安" * 100, "文")]))
    assert store.count() == 0
    store.close()
