"""A store in memory: exact, small, gone with the process. The measure the persistent store is held against."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from secondpass.index.order import Found, best_first, reading_order
from secondpass.index.vectors import check_query, check_token_query, check_token_vectors, check_vector
from secondpass.models.maxsim import PackedPassages, open_maxsim, pack
from secondpass.types import Chunk, Entry, FloatArray, IdArray, TermVector


@dataclass(frozen=True, slots=True, eq=False)
class _Postings:
    """All terms of all chunks, sorted by term: ``ids`` uint32 [P], ``rows`` int64 [P], ``weights`` float32 [P]."""

    ids: IdArray
    rows: npt.NDArray[np.int64]
    weights: FloatArray


class MemoryStore:
    """Keeps chunks in a dictionary and scores every one of them.

    The score of a term search is the sum over shared terms of query weight x document weight x
    ``ln(1 + (N - n + 0.5) / (n + 0.5))``; N counts all chunks, n those with the term. Nothing is approximate.
    """

    def __init__(self, dimension: int | None = None, token_dimension: int | None = None) -> None:
        self.dimension = dimension
        self.token_dimension = token_dimension
        self._entries: dict[tuple[str, str], Entry] = {}
        self._postings: _Postings | None = None
        self._vectors: FloatArray | None = None
        self._tokens: PackedPassages | None = None

    def replace(self, doc_ids: Sequence[str], entries: Sequence[Entry]) -> None:
        """Remove all chunks of ``doc_ids`` and add ``entries``."""
        for entry in entries:
            check_vector(entry, self.dimension)
            check_token_vectors(entry, self.token_dimension)
        gone = set(doc_ids)
        kept = {key: entry for key, entry in self._entries.items() if key[0] not in gone}
        self._entries = kept | {(entry.chunk.doc_id, entry.chunk.id): entry for entry in entries}
        self._postings = self._vectors = self._tokens = None

    def search_terms(self, query: TermVector, top_k: int) -> list[Found]:
        """Return the ``top_k`` chunks with the highest BM25 score, best first."""
        postings = self._posting_lists()
        scores = np.zeros(len(self._entries))
        for term, weight in zip(query.ids, query.weights, strict=True):
            first, last = (int(np.searchsorted(postings.ids, term, side=side)) for side in ("left", "right"))
            containing = last - first
            idf = np.log1p((len(scores) - containing + 0.5) / (containing + 0.5))
            scores[postings.rows[first:last]] += weight * idf * postings.weights[first:last]
        return self._best(scores, np.flatnonzero(scores > 0), top_k)

    def search_vector(self, query: FloatArray, top_k: int) -> list[Found]:
        """Return the ``top_k`` chunks with the highest cosine to ``query`` (float32 [D]), best first."""
        check_query(query, self.dimension)
        if self._vectors is None:
            rows = [entry.vector for entry in self._entries.values() if entry.vector is not None]
            self._vectors = _unit(np.array(rows, dtype=np.float32).reshape(len(rows), len(query)))
        scores = self._vectors @ _unit(query[None, :])[0]  # (N,)
        return self._best(scores, np.arange(len(scores)), top_k)

    def search_tokens(self, query: FloatArray, top_k: int) -> list[Found]:
        """Return the ``top_k`` chunks with the highest MaxSim to ``query`` (float32 [Q, D]), best first."""
        check_token_query(query, self.token_dimension)
        if self._tokens is None:
            rows = [entry.token_vectors for entry in self._entries.values() if entry.token_vectors is not None]
            vectors = np.concatenate([np.empty((0, query.shape[1]), np.float32), *rows])
            self._tokens = pack(vectors, [len(row) for row in rows])
        scores = open_maxsim().score(query, self._tokens)
        return self._best(scores, np.arange(len(scores)), top_k)

    def chunks_of(self, doc_id: str) -> list[Chunk]:
        """Return the chunks of one document in reading order."""
        return sorted((entry.chunk for key, entry in self._entries.items() if key[0] == doc_id), key=reading_order)

    def count(self) -> int:
        """Count the chunks."""
        return len(self._entries)

    def optimize(self) -> None:
        """Build the posting lists now and not at the first search."""
        self._posting_lists()

    def close(self) -> None:
        """Do nothing: there are no files."""

    def _best(self, scores: npt.NDArray[np.floating], rows: npt.NDArray[np.int64], top_k: int) -> list[Found]:
        chunks = [entry.chunk for entry in self._entries.values()]
        return best_first(((chunks[row], float(np.float32(scores[row]))) for row in rows), top_k)

    def _posting_lists(self) -> _Postings:
        if self._postings is None:
            terms = [entry.terms for entry in self._entries.values()]
            ids = np.concatenate([np.empty(0, np.uint32), *(vector.ids for vector in terms)])
            weights = np.concatenate([np.empty(0, np.float32), *(vector.weights for vector in terms)])
            rows = np.repeat(np.arange(len(terms)), [len(vector.ids) for vector in terms])
            order = np.argsort(ids, kind="stable")
            self._postings = _Postings(ids[order], rows[order], weights[order])
        return self._postings


def _unit(rows: FloatArray) -> FloatArray:
    """Scale rows to length 1; a row of zeros stays."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return (rows / np.where(lengths > 0, lengths, 1)).astype(np.float32)
