"""How long a setting takes: estimated from the tokens it reads and a speed measured on the task's own texts."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from secondpass.rerank.pace import pair_tokens
from secondpass.rerank.pairs import PairReranker
from secondpass.tune.pool import Places, Pool
from secondpass.types import Reranker

Seconds = npt.NDArray[np.float64]
Clock = Callable[[], float]
_SIZES = (1, 5, 20, 10**9)
_CALLS_OF_A_SIZE = 5
_MOST_SECONDS = 20.0
_DRAWS = 20
_SEED = 13


@dataclass(frozen=True, slots=True, eq=False)
class Speed:
    """Seconds that a reranker takes: ``per_call``, and ``per_token`` of question and passage.

    ``ratios`` float64 [M]: of each timed call, how many times the predicted seconds it took; their spread is what a p95
    needs beside the lengths of texts.
    """

    per_call: float
    per_token: float
    ratios: Seconds

    def seconds(self, tokens: npt.NDArray[np.int64]) -> Seconds:
        """Predict the seconds of reading ``tokens`` (int64 [Q]); nothing is read in no time."""
        return np.where(tokens > 0, self.per_call + self.per_token * tokens, 0.0)


def fit_speed(tokens: Sequence[int], seconds: Sequence[float]) -> Speed:
    """Fit two numbers to timed calls so that the relative errors are least (least squares of predicted/seen - 1).

    >>> speed = fit_speed([100, 200, 1000], [0.3, 0.5, 2.1])
    >>> round(speed.per_call, 3), round(speed.per_token, 5)
    (0.1, 0.002)
    """
    seen = np.maximum(np.asarray(seconds, np.float64), 1e-9)
    read = np.asarray(tokens, np.float64)
    rows = np.stack([1 / seen, read / seen], axis=1)
    per_call, per_token = (float(value) for value in np.linalg.lstsq(rows, np.ones(len(seen)), rcond=None)[0])
    if per_token < 0:
        per_call, per_token = _alone(rows[:, 0]), 0.0
    elif per_call < 0:
        per_call, per_token = 0.0, _alone(rows[:, 1])
    return Speed(per_call, per_token, seen / (per_call + per_token * read))


def _alone(column: Seconds) -> float:
    """Return the one number of a fit without the other."""
    return float(column.sum() / np.square(column).sum())


def without_cache(reranker: Reranker) -> Reranker:
    """Return ``reranker`` as it computes: without the scores that it knows."""
    return PairReranker(reranker.scorer) if isinstance(reranker, PairReranker) else reranker


def measure_speed(reranker: Reranker, pool: Pool, clock: Clock = time.perf_counter) -> Speed | None:
    """Time ``reranker`` on short and long lists of the task; None where no question has candidates.

    Every call has a question of its own. The first is not counted: it loads what the others find.
    """
    rows = _spread([row for row, hits in enumerate(pool.hits) if hits], len(_SIZES) * _CALLS_OF_A_SIZE)
    fresh = without_cache(reranker)
    tokens: list[int] = []
    seconds: list[float] = []
    began = clock()
    for call, row in enumerate([*rows[:1], *rows]):
        hits = pool.hits[row][: _SIZES[call % len(_SIZES)]]
        start = clock()
        fresh.rerank(pool.queries[row], hits)
        if call:
            tokens.append(sum(pair_tokens(pool.queries[row], [hit.chunk.text for hit in hits])))
            seconds.append(clock() - start)
        if call >= len(_SIZES) and clock() - began > _MOST_SECONDS:
            break
    return fit_speed(tokens, seconds) if tokens else None


def _spread(rows: Sequence[int], count: int) -> list[int]:
    """Return ``count`` of ``rows``, evenly spread; some of them twice where there are fewer."""
    return [rows[place * len(rows) // count] for place in range(count)] if rows else []


def tokens_read(pool: Pool) -> Places:
    """Return the estimated tokens of each question with each candidate, int32 [Q, N]; 0 behind a list's end."""
    own = np.array([pair_tokens(query, [""])[0] for query in pool.queries], np.int32)
    there = np.arange(pool.depth)[None, :] < pool.lengths[:, None]
    return np.where(there, pool.tokens + own[:, None], 0).astype(np.int32)


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Milliseconds of the middle question, and of the one that only five in a hundred exceed."""

    p50_ms: float
    p95_ms: float

    def times(self, factor: float) -> Percentiles:
        """Return both, multiplied."""
        return Percentiles(self.p50_ms * factor, self.p95_ms * factor)


def percentiles(seconds: Sequence[float] | Seconds) -> Percentiles:
    """Return the percentiles of seconds."""
    p50, p95 = np.quantile(np.asarray(seconds), [0.5, 0.95])
    return Percentiles(float(p50) * 1000, float(p95) * 1000)


def estimated_percentiles(stages: Sequence[tuple[Seconds, Seconds]]) -> Percentiles:
    """Return the percentiles of the sum of stages, each its predicted seconds [Q] and the ratios [M] of its speed.

    Calls differ from what is predicted; ratios are drawn for every question and stage (seeded, the same each time).
    """
    random = np.random.default_rng(_SEED)
    total = np.zeros((_DRAWS, len(stages[0][0])) if stages else (1, 1))
    for predicted, ratios in stages:
        total += predicted * random.choice(ratios, size=total.shape)
    return percentiles(total.ravel())
