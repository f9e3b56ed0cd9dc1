"""The order in which every store returns chunks: best score first, and equal scores by place."""

from __future__ import annotations

from collections.abc import Iterable

from secondpass.types import Chunk

Found = tuple[Chunk, float]


def best_first(found: Iterable[Found], top_k: int) -> list[Found]:
    """Return the best ``top_k``; equal scores stand in the order of document, start and id.

    >>> a, b = Chunk("1", "西安", doc_id="b"), Chunk("2", "西安", doc_id="a")
    >>> [chunk.doc_id for chunk, _ in best_first([(a, 1.0), (b, 1.0)], 2)]
    ['a', 'b']
    """
    return sorted(found, key=_place)[:top_k]


def _place(found: Found) -> tuple[float, str, int, str]:
    chunk, score = found
    return -score, chunk.doc_id, chunk.start, chunk.id


def reading_order(chunk: Chunk) -> tuple[int, int, str]:
    """Key that sorts the chunks of one document from its top to its bottom."""
    return chunk.start, chunk.end, chunk.id
