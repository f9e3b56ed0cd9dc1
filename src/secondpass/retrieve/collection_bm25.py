"""BM25 over a whole collection: the first stage that public tasks are measured behind.

Unlike the index's BM25 (`secondpass.text.terms`), which must score a document before the next one comes, it takes the
average length and the IDF of the collection it is given.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from secondpass.errors import InputError
from secondpass.retrieve.stored import check_top_k
from secondpass.text.terms import K1, B, query_terms, terms
from secondpass.types import Chunk

Analyzer: TypeAlias = tuple[Callable[[str], list[str]], Callable[[str], list[str]]]
"""What makes the terms of passages, and of questions."""
Scores: TypeAlias = npt.NDArray[np.float64]
_Numbers: TypeAlias = npt.NDArray[np.int64]
_Counts: TypeAlias = npt.NDArray[np.unsignedinteger]

STEMMED: Analyzer = (terms, query_terms)
_PASSAGES_AT_ONCE = 20_000


class _Columns(dict[str, int]):
    """The numbers of terms, in the order in which they first came."""

    def __missing__(self, term: str) -> int:
        number = self[term] = len(self)
        return number


@dataclass(frozen=True, slots=True, eq=False)
class _Block:
    """Some passages in a row: ``terms`` int32, ``rows`` int32 and ``counts`` of the smallest type, all [P].

    Sorted by term, then by passage; a passage that holds a term has one place, with how often it does.
    """

    terms: npt.NDArray[np.int32]
    rows: npt.NDArray[np.int32]
    counts: _Counts

    @classmethod
    def of(cls, first: int, numbers: array[int], lengths: Sequence[int]) -> _Block:
        """Return the block of the passages from row ``first`` on, with their terms one after the other."""
        rows = np.repeat(np.arange(len(lengths), dtype=np.int64), lengths)
        keys = np.asarray(numbers, dtype=np.int64) * _PASSAGES_AT_ONCE + rows
        places, counts = np.unique(keys, return_counts=True)
        return cls(
            (places // _PASSAGES_AT_ONCE).astype(np.int32),
            (places % _PASSAGES_AT_ONCE + first).astype(np.int32),
            counts.astype(np.min_scalar_type(counts.max(initial=1))),
        )


class _Shelf:
    """Blocks in their order, in memory or, with ``folder``, in files there."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self._kept: list[_Block | Path] = []

    def put(self, block: _Block) -> None:
        """Keep a block."""
        if self.folder is None:
            self._kept.append(block)
            return
        path = self.folder / f"block-{len(self._kept)}.npz"
        np.savez(path, terms=block.terms, rows=block.rows, counts=block.counts)
        self._kept.append(path)

    def __iter__(self) -> Iterator[_Block]:
        return map(self._read, self._kept)

    def taken(self) -> Iterator[_Block]:
        """Yield the blocks and let each go, so that the whole never lies there twice."""
        while self._kept:
            kept = self._kept.pop(0)
            yield self._read(kept)
            if isinstance(kept, Path):
                kept.unlink()

    def empty(self, name: str, size: int, kind: npt.DTypeLike) -> npt.NDArray[Any]:
        """Return an array to be filled: in memory, or in a file."""
        if self.folder is None or not size:
            return np.empty(size, kind)
        return np.memmap(self.folder / name, kind, "w+", shape=(size,))

    def _read(self, kept: _Block | Path) -> _Block:
        if isinstance(kept, _Block):
            return kept
        with np.load(kept) as found:
            return _Block(found["terms"], found["rows"], found["counts"])


class CollectionBM25:
    """Score the passages of a collection (k1 1.2, b 0.75), with its average length and its IDF.

    ``ln(1 + (N - n + 0.5) / (n + 0.5))`` times ``tf (k1 + 1) / (tf + k1 (1 - b + b length / average))``, summed over
    the terms of a question (Robertson and Zaragoza, "The Probabilistic Relevance Framework", 2009). Title and text of
    a passage are one text. Passages are read once, and their texts are not kept. With ``folder`` it lies in files there
    that are read as they are needed, and memory holds ids, lengths and terms alone.
    """

    def __init__(self, passages: Iterable[Chunk], analyzer: Analyzer = STEMMED, folder: Path | None = None) -> None:
        of_passage, self._of_query = analyzer
        self.ids: list[str] = []
        self._columns: dict[str, int] = {}
        lengths = array("i")
        shelf = _Shelf(folder)
        for block in self._blocks(passages, of_passage, lengths):
            shelf.put(block)
        if len(set(self.ids)) < len(self.ids):
            twice = Counter(self.ids).most_common(1)[0][0]
            raise InputError(f"Passage {twice!r} stands twice in the collection; every passage needs an id of its own.")
        length = np.asarray(lengths, dtype=np.float64)
        average = length.mean() if length.any() else 1.0
        self._penalty = K1 * (1 - B + B * length / average)  # (N,)
        self._start, self._posting_rows, self._posting_counts = _merge(shelf, len(self._columns))
        held_by = np.diff(self._start)
        self._idf = np.log(1 + (len(self.ids) - held_by + 0.5) / (held_by + 0.5))

    def _blocks(
        self, passages: Iterable[Chunk], of_passage: Callable[[str], list[str]], lengths: array[int]
    ) -> Iterator[_Block]:
        columns = _Columns()
        reading = iter(passages)
        while part := list(islice(reading, _PASSAGES_AT_ONCE)):
            numbers = array("i")
            first = len(self.ids)
            for chunk in part:
                before = len(numbers)
                numbers.extend(map(columns.__getitem__, of_passage(f"{chunk.title}\n{chunk.text}")))
                lengths.append(len(numbers) - before)
                self.ids.append(chunk.id)
            yield _Block.of(first, numbers, lengths[first:])
        self._columns = dict(columns)  # a question must not add terms

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {doc_id: row for row, doc_id in enumerate(self.ids)}

    def scores(self, query: str) -> Scores:
        """Return the score of every passage, float64 [N]."""
        counts = Counter(self._of_query(query)).items()
        asked = {self._columns[term]: count for term, count in counts if term in self._columns}
        if not asked:
            return np.zeros(len(self.ids))
        parts = [slice(*self._start[column : column + 2].tolist()) for column in asked]
        rows = np.concatenate([self._posting_rows[part] for part in parts])  # (P,)
        frequency = np.concatenate([self._posting_counts[part] for part in parts]).astype(np.float64)
        weights = np.repeat(self._idf[list(asked)] * list(asked.values()), [part.stop - part.start for part in parts])
        saturated = frequency * (K1 + 1) / (frequency + self._penalty[rows])
        scores: Scores = np.bincount(rows, saturated * weights, len(self.ids)).astype(np.float64, copy=False)
        return scores

    def scores_of(self, query: str, doc_ids: Sequence[str]) -> Scores:
        """Return the scores of some passages, float64 [N].

        Raises:
            InputError: a passage is not in the collection.
        """
        try:
            rows = [self._rows[doc_id] for doc_id in doc_ids]
        except KeyError as error:
            raise InputError(f"Passage {error.args[0]!r} is not among the {len(self):,} of the collection.") from error
        found: Scores = self.scores(query)[rows] if rows else np.zeros(0)
        return found

    def best(self, query: str, top_k: int) -> list[tuple[str, float]]:
        """Return the ``top_k`` best passages with their scores, best first; ties keep the collection's order.

        A passage that holds no term of the question is not found.
        """
        check_top_k(top_k)
        scores = self.scores(query)
        found = np.flatnonzero(scores)
        if len(found) > top_k:
            lowest = np.partition(scores[found], len(found) - top_k)[len(found) - top_k]
            found = found[scores[found] >= lowest]
        order = found[np.argsort(-scores[found], kind="stable")][:top_k]
        return [(self.ids[row], score) for row, score in zip(order.tolist(), scores[order].tolist(), strict=True)]


def _merge(shelf: _Shelf, columns: int) -> tuple[_Numbers, npt.NDArray[np.int32], _Counts]:
    """Put the postings of all blocks together by term: where each term's start, their passages, and their counts."""
    start = np.zeros(columns + 1, np.int64)
    counts_type: np.dtype[Any] = np.dtype(np.uint8)
    for block in shelf:
        start[1:] += np.bincount(block.terms, minlength=columns)
        counts_type = np.result_type(counts_type, block.counts.dtype)
    np.cumsum(start, out=start)
    total = int(start[-1])
    rows, counts = shelf.empty("rows", total, np.int32), shelf.empty("counts", total, counts_type)
    free = start[:-1].copy()
    for block in shelf.taken():
        size = np.bincount(block.terms, minlength=columns)
        within = np.arange(len(block.terms)) - (np.cumsum(size) - size)[block.terms]
        place = free[block.terms] + within
        rows[place], counts[place] = block.rows, block.counts
        free += size
    return start, rows, counts
