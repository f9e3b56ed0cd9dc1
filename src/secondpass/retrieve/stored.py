"""Retrieve from a store by terms (BM25) or by vector."""

from __future__ import annotations

from secondpass.errors import InputError
from secondpass.text.terms import query_vector
from secondpass.types import Chunk, Embedder, FloatArray, Hit, Scale, StageScore, Store


class BM25Retriever:
    """Find chunks by their terms."""

    name = "bm25"

    def __init__(self, store: Store) -> None:
        self.store = store

    def retrieve(self, query: str, top_k: int) -> list[Hit]:
        """Return the ``top_k`` chunks with the highest BM25 score; none where no term of the query is known."""
        check_top_k(top_k)
        terms = query_vector(query)
        found = self.store.search_terms(terms, top_k) if len(terms.ids) else []
        return as_hits(found, self.name, "bm25")


class DenseRetriever:
    """Find chunks whose vectors lie nearest to the query's."""

    name = "dense"

    def __init__(self, store: Store, embedder: Embedder) -> None:
        self.store = store
        self.embedder = embedder

    def retrieve(self, query: str, top_k: int) -> list[Hit]:
        """Return the ``top_k`` chunks with the highest cosine to the query; none for an empty query."""
        check_top_k(top_k)
        if not query.strip():
            return []
        return as_hits(self.nearest(query, top_k), self.name, "cosine")

    def nearest(self, query: str, top_k: int) -> list[tuple[Chunk, float]]:
        """Return the chunks with their cosines, the nearest first."""
        return self.store.search_vector(self.vector(query), top_k)

    def vector(self, query: str) -> FloatArray:
        """Return the vector that is looked for, float32 [D]."""
        vector: FloatArray = self.embedder.encode_query([query])[0]
        return vector


def check_top_k(top_k: int) -> None:
    """Refuse a depth below 1."""
    if top_k < 1:
        raise InputError(f"top_k is {top_k}; it must be 1 or more.")


def as_hits(found: list[tuple[Chunk, float]], stage: str, scale: Scale) -> list[Hit]:
    """Return what a store found as the hits of the stage that asked."""
    return [
        Hit(chunk, score, scale, (StageScore(stage, rank, score, scale),))
        for rank, (chunk, score) in enumerate(found, start=1)
    ]
