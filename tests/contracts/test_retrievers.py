"""What every retriever keeps: the promises of `secondpass.types.Retriever`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.retrieve.word_vectors import WordVectors

from secondpass.embed.names import open_embedder
from secondpass.errors import InputError
from secondpass.index.entries import add_token_vectors, add_vectors, make_entries
from secondpass.index.memory import MemoryStore
from secondpass.index.qdrant_edge import QdrantEdgeStore
from secondpass.retrieve.hybrid import HybridRetriever
from secondpass.retrieve.late_interaction import LateInteractionRetriever
from secondpass.retrieve.stored import BM25Retriever, DenseRetriever
from secondpass.types import Chunk, Embedder, Retriever, Store

TEXTS = [
    "西安交通大学由三校合并而成。",
    "西安在陕西省。",
    "浏览器默认缓存 CORS 响应六百秒。",
    "Browsers cache CORS responses for 600 seconds.",
    "The schools were merged in 2000.",
    "Green tea is not fermented.",
]
CHUNKS = [
    Chunk(f"c{number}", text, f"d{number % 2}", number * 100, number * 100 + len(text))
    for number, text in enumerate(TEXTS)
]
Make = Callable[[Store, Embedder], Retriever]
RETRIEVERS: dict[str, Make] = {
    "bm25": lambda store, embedder: BM25Retriever(store),
    "dense": DenseRetriever,
    "colbert": lambda store, embedder: LateInteractionRetriever(store, WordVectors()),
    "hybrid": lambda store, embedder: HybridRetriever([BM25Retriever(store), DenseRetriever(store, embedder)]),
    "hybrid of hybrids": lambda store, embedder: HybridRetriever(
        [HybridRetriever([BM25Retriever(store)]), DenseRetriever(store, embedder)], [1, 2]
    ),
}


@pytest.fixture(scope="module")
def embedder(server_url: str) -> Embedder:
    return open_embedder("openai:bag-of-words", server_url)


@pytest.fixture(scope="module", params=["memory", "qdrant_edge"])
def store(
    request: pytest.FixtureRequest, embedder: Embedder, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Store]:
    folder: Path = tmp_path_factory.mktemp("store") / "store"
    made: Store = (
        MemoryStore(embedder.dimension, WordVectors.dimension)
        if request.param == "memory"
        else QdrantEdgeStore(folder, embedder.dimension, WordVectors.dimension, create=True)
    )
    made.replace(["d0", "d1"], add_token_vectors(add_vectors(make_entries(CHUNKS), embedder), WordVectors()))
    yield made
    made.close()


@pytest.fixture(params=list(RETRIEVERS))
def retriever(request: pytest.FixtureRequest, store: Store, embedder: Embedder) -> Retriever:
    return RETRIEVERS[request.param](store, embedder)


@pytest.mark.parametrize(
    ("query", "expected"),
    [("西安交通大学由哪三校合并", "c0"), ("浏览器缓存 CORS 多少秒", "c2"), ("browsers cache CORS responses", "c3")],
)
def test_the_passage_that_is_meant_comes_first(retriever: Retriever, query: str, expected: str) -> None:
    assert expected in [hit.chunk.id for hit in retriever.retrieve(query, 2)]


def test_at_most_top_k_come_best_first_and_none_twice(retriever: Retriever) -> None:
    hits = retriever.retrieve("西安 cache CORS", 3)
    assert 1 <= len(hits) <= 3
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert len({hit.chunk.id for hit in hits}) == len(hits)


def test_the_last_stage_of_a_hit_is_its_rank_and_score_here(retriever: Retriever) -> None:
    for rank, hit in enumerate(retriever.retrieve("CORS 缓存", 4), start=1):
        last = hit.stages[-1]
        assert (last.stage, last.rank, last.score, last.scale) == (retriever.name, rank, hit.score, hit.scale)


def test_chunks_come_whole(retriever: Retriever) -> None:
    known = {chunk.id: chunk for chunk in CHUNKS}
    for hit in retriever.retrieve("CORS 西安", 6):
        assert replace(hit.chunk, metadata={}) == known[hit.chunk.id]


def test_a_depth_below_one_is_refused(retriever: Retriever) -> None:
    with pytest.raises(InputError, match="top_k is 0"):
        retriever.retrieve("西安", 0)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15, deadline=None)
@given(query=st.text(max_size=30), top_k=st.integers(1, 8))
def test_no_question_breaks_it(retriever: Retriever, query: str, top_k: int) -> None:
    assert len(retriever.retrieve(query, top_k)) <= top_k


@pytest.mark.parametrize("query", ["", "  ", "。，", "\x00", "🙂"])
def test_a_question_without_words_finds_nothing_by_terms(store: Store, query: str) -> None:
    assert BM25Retriever(store).retrieve(query, 5) == []


def test_traditional_and_full_width_forms_find_simplified_text(store: Store) -> None:
    assert BM25Retriever(store).retrieve("瀏覽器緩存 ＣＯＲＳ", 1)[0].chunk.id == "c2"
