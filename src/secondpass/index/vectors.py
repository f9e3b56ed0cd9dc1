"""Which vectors a store takes, and which searches by vector it can answer."""

from __future__ import annotations

import numpy as np

from secondpass.errors import StoreError
from secondpass.types import Entry, FloatArray


def check_vector(entry: Entry, dimension: int | None) -> None:
    """Refuse an entry whose vector does not fit the store."""
    found = None if entry.vector is None else entry.vector.shape
    wanted = None if dimension is None else (dimension,)
    if found != wanted:
        raise StoreError(
            f"A chunk of {entry.chunk.doc_id} comes with a vector of shape {found}; this index keeps {wanted}. "
            "Index and embedder do not belong together: open the index with the embedder it was built with."
        )
    if entry.vector is not None and not np.isfinite(entry.vector).all():
        raise StoreError(f"The vector of a chunk of {entry.chunk.doc_id} holds values that are no numbers (NaN).")


def check_token_vectors(entry: Entry, dimension: int | None) -> None:
    """Refuse an entry whose token vectors do not fit the store."""
    found = entry.token_vectors
    fits = found is None if dimension is None else found is not None and found.ndim == 2 and len(found) > 0
    if not fits or (found is not None and found.shape[1] != dimension):
        shape = None if found is None else found.shape
        wanted = "none" if dimension is None else f"one or more of {dimension} numbers"
        raise StoreError(
            f"A chunk of {entry.chunk.doc_id} comes with token vectors of shape {shape}; this index keeps {wanted}. "
            "Index and token encoder do not belong together: open the index with the token encoder it was built with."
        )
    if found is not None and not np.isfinite(found).all():
        raise StoreError(f"The token vectors of a chunk of {entry.chunk.doc_id} hold values that are no numbers (NaN).")


def check_token_query(query: FloatArray, dimension: int | None) -> None:
    """Refuse a search by token vectors that the store cannot answer."""
    if dimension is None:
        raise StoreError(
            "This index was built without a token encoder and knows no token vectors; search it with bm25, or build a "
            "new index with --token-encoder."
        )
    if query.ndim != 2 or query.shape[1] != dimension:
        raise StoreError(
            f"The question's token vectors have shape {query.shape}, those of the index have {dimension} numbers; open "
            "the index with the token encoder it was built with."
        )


def check_query(query: FloatArray, dimension: int | None) -> None:
    """Refuse a search by vector that the store cannot answer."""
    if dimension is None:
        raise StoreError(
            "This index was built without an embedder and knows no vectors; search it with bm25, or build a new index "
            "with --embedder."
        )
    if query.shape != (dimension,):
        raise StoreError(
            f"The question's vector has shape {query.shape}, those of the index have {dimension} numbers; open the "
            "index with the embedder it was built with."
        )
