"""What each reranker makes of the candidates, so that every setting follows without running it.

A reranker that scores a passage independently of its neighbours reads the deepest list once; the order of any part of
it follows from the scores. Others are run on every list that a setting gives them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Protocol

import numpy as np
import numpy.typing as npt

from secondpass.errors import InputError
from secondpass.rerank.lexical import LexicalReranker
from secondpass.rerank.llm_reranker import LLMReranker
from secondpass.rerank.pairs import PairReranker
from secondpass.tune.pool import Places, Pool
from secondpass.types import Hit, Reranker, Scale

Scores = npt.NDArray[np.float64]
Clock = Callable[[], float]
Advance = Callable[[], None]
_LAST = np.int32(np.iinfo(np.int32).max)
NO_THRESHOLD: tuple[Scale, ...] = ("rank_only", "unknown", "log_likelihood")
"""Scales whose numbers cannot be compared between questions."""


class Order(Protocol):
    """Orders candidates of all questions as one reranker does."""

    @property
    def name(self) -> str:
        """The reranker's name."""
        ...

    @property
    def scale(self) -> Scale:
        """The scale of `values`: ``probability`` where the reranker gives one."""
        ...

    def order(self, shown: Places) -> Places:
        """Return ``shown`` (int32 [Q, K], in the order of the stage before) as the reranker orders it."""
        ...

    def values(self, ordered: Places) -> Scores:
        """Return what a threshold is held against, float64 [Q, K], of the places that `order` returned last."""
        ...

    def seconds(self, shown: Places, /) -> Scores | None:
        """Return the seconds of each question, float64 [Q], where they were seen (NaN: not seen)."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class ScoredOrder:
    """The order by scores that depend on question and passage alone.

    ``levels`` int32 [Q, N]: where a passage stands in the order of the whole list, equal for equal scores.
    ``numbers`` float64 [Q, N]: scores or probabilities.
    """

    name: str
    scale: Scale
    levels: Places
    numbers: Scores

    def order(self, shown: Places) -> Places:
        """Sort by level; equal ones keep the order in which they are shown."""
        levels = np.where(shown >= 0, np.take_along_axis(self.levels, np.maximum(shown, 0), axis=1), _LAST)
        return np.take_along_axis(shown, np.argsort(levels, axis=1, kind="stable"), axis=1)

    def values(self, ordered: Places) -> Scores:
        """Look the numbers up."""
        found = np.take_along_axis(self.numbers, np.maximum(ordered, 0), axis=1)
        return np.where(ordered >= 0, found, -np.inf)

    def seconds(self, _shown: Places, /) -> None:
        """Return nothing: the time is estimated from the tokens that are read."""
        return


@dataclass(slots=True, eq=False)
class RunOrder:
    """The order of a reranker that looks at several passages at a time: it is run on every list, each one once."""

    reranker: Reranker
    pool: Pool
    clock: Clock = time.perf_counter
    scale: Scale = "unknown"
    _known: dict[tuple[int, bytes], tuple[Places, Scores, float]] = field(default_factory=dict)
    _numbers: Scores = field(init=False)

    def __post_init__(self) -> None:
        self._numbers = np.full(self.pool.relevant.shape, -np.inf)

    @property
    def name(self) -> str:
        """The reranker's name."""
        return self.reranker.name

    def order(self, shown: Places) -> Places:
        """Run the reranker on each question's list."""
        ordered = np.full_like(shown, -1)
        for row in range(len(shown)):
            places, _, _ = self._run(row, shown[row])
            ordered[row, : len(places)] = places
        return ordered

    def values(self, ordered: Places) -> Scores:
        """Return the numbers of the latest run."""
        found = np.take_along_axis(self._numbers, np.maximum(ordered, 0), axis=1)
        return np.where(ordered >= 0, found, -np.inf)

    def seconds(self, shown: Places, /) -> Scores:
        """Return what each list took when it was run; NaN where replies were known already."""
        return np.array([self._run(row, shown[row])[2] for row in range(len(shown))])

    def _run(self, row: int, shown: Places) -> tuple[Places, Scores, float]:
        listed = shown[shown >= 0]
        key = (row, listed.tobytes())
        if key not in self._known:
            self._known[key] = self._computed(row, listed)
        places, numbers, seconds = self._known[key]
        self._numbers[row, places] = numbers
        return places, numbers, seconds

    def _computed(self, row: int, listed: Places) -> tuple[Places, Scores, float]:
        if not len(listed):
            return listed, np.empty(0), 0.0
        given = [self.pool.hits[row][place] for place in listed]
        start = self.clock()
        ranked, known = _ranked(self.reranker, self.pool.queries[row], given)
        seconds = np.nan if known else self.clock() - start
        place_of = {hit.chunk.id: place for hit, place in zip(given, listed, strict=True)}
        strangers = [hit.chunk.id for hit in ranked if hit.chunk.id not in place_of]
        if strangers:
            raise InputError(f"{self.name} makes passages of its own ({strangers[0]!r}); it cannot be tuned.")
        self.scale, numbers = _numbers(ranked)
        return np.array([place_of[hit.chunk.id] for hit in ranked], np.int32), numbers, seconds


def _ranked(reranker: Reranker, query: str, hits: Sequence[Hit]) -> tuple[list[Hit], bool]:
    """Return the reranked hits, and whether replies were known, so that the time says nothing."""
    if isinstance(reranker, LLMReranker):
        ranked, report = reranker.rank_with_report(query, hits)
        return ranked, report.cache_hits > 0
    return reranker.rerank(query, hits), False


def _numbers(ranked: Sequence[Hit]) -> tuple[Scale, Scores]:
    """Return the scale and the numbers that a threshold is held against: probabilities where all have one."""
    if ranked and all(hit.probability is not None for hit in ranked):
        return "probability", np.array([hit.probability for hit in ranked], np.float64)
    scales = {hit.scale for hit in ranked}
    scale: Scale = scales.pop() if len(scales) == 1 else "unknown"
    return scale, np.array([hit.score for hit in ranked], np.float64)


def is_independent(reranker: Reranker) -> bool:
    """Tell whether a passage's score depends on the question and that passage alone."""
    return isinstance(reranker, PairReranker | LexicalReranker)


def read_order(reranker: Reranker, pool: Pool, advance: Advance, clock: Clock = time.perf_counter) -> Order:
    """Have ``reranker`` read all candidates where that says everything; ``advance`` is called after each question."""
    if not is_independent(reranker):
        return RunOrder(reranker, pool, clock)
    levels = np.zeros(pool.relevant.shape, np.int32)
    numbers = np.full(pool.relevant.shape, -np.inf)
    scales: set[Scale] = set()
    for row, (query, hits) in enumerate(zip(pool.queries, pool.hits, strict=True)):
        if hits:
            ranked = reranker.rerank(query, hits)
            place_of = {hit.chunk.id: place for place, hit in enumerate(hits)}
            places = [place_of[hit.chunk.id] for hit in ranked]
            levels[row, places] = _levels(ranked)
            scale, numbers[row, places] = _numbers(ranked)
            scales.add(scale)
        advance()
    return ScoredOrder(reranker.name, scales.pop() if len(scales) == 1 else "unknown", levels, numbers)


def _levels(ranked: Sequence[Hit]) -> Places:
    """Return the places of ranked hits, equal for equal scores; text is told from no text, which always comes last."""
    marks = [(hit.score, bool(hit.chunk.text.strip())) for hit in ranked]
    steps = [0] + [int(after != before) for before, after in pairwise(marks)]
    return np.cumsum(steps, dtype=np.int32)
