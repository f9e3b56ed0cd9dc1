"""The passages nearest to a question in a whole collection: exact, its vectors in a file, searched part by part."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt

from secondpass.retrieve.stored import check_top_k
from secondpass.types import Embedder, FloatArray

_PASSAGES_AT_ONCE = 256
_NUMBERS_AT_ONCE = 16_000_000
"""Numbers of passages' vectors, or of scores, that lie in memory at a time."""

Best = list[tuple[int, float]]
"""Rows of passages and their scores, best first."""


class CollectionVectors:
    """Search the passages of a collection by cosine, many questions in one pass over their vectors.

    The vectors are written to ``file``, float32 [N, D]; memory holds some megabytes of them, however many there are.
    ``progress`` hears how many passages are encoded.
    """

    def __init__(
        self, texts: Iterable[str], embedder: Embedder, file: Path, progress: Callable[[int], None] | None = None
    ) -> None:
        self._embedder, self._file, self._count = embedder, file, 0
        reading = iter(texts)
        with file.open("wb") as output:
            while some := list(islice(reading, _PASSAGES_AT_ONCE)):
                output.write(np.ascontiguousarray(embedder.encode_document(some), np.float32).tobytes())
                self._count += len(some)
                if progress:
                    progress(self._count)

    def __len__(self) -> int:
        return self._count

    def best(self, queries: Sequence[str], top_k: int) -> list[Best]:
        """Return the ``top_k`` nearest passages of each question; ties keep the collection's order.

        Nothing is found for an empty question.
        """
        check_top_k(top_k)
        found: list[Best] = [[] for _ in queries]
        asked = [place for place, query in enumerate(queries) if query.strip()]
        if not asked or not self._count:
            return found
        vectors = self._embedder.encode_query([queries[place] for place in asked])  # (Q, D)
        width = vectors.shape[1]
        rows = max(_NUMBERS_AT_ONCE // max(width, len(asked)), 1)
        for first in range(0, self._count, rows):
            part = self._part(first, min(rows, self._count - first), width)  # (P, D)
            for place, scores in zip(asked, vectors @ part.T, strict=True):
                found[place] = _merged(found[place], scores, first, top_k)
        return found

    def _part(self, first: int, count: int, width: int) -> FloatArray:
        read: FloatArray = np.fromfile(self._file, np.float32, count * width, offset=first * width * 4)
        return read.reshape(count, width)


def _merged(known: Best, scores: npt.NDArray[np.float32], first: int, top_k: int) -> Best:
    """Return the best of ``known`` and of the rows from ``first`` on, whose ``scores`` are float32 [P]."""
    rows = np.arange(len(scores))
    if len(scores) > top_k:
        lowest = np.partition(scores, len(scores) - top_k)[len(scores) - top_k]
        rows = np.flatnonzero(scores >= lowest)
    new = zip((rows + first).tolist(), scores[rows].tolist(), strict=True)
    return sorted([*known, *new], key=lambda one: -one[1])[:top_k]
