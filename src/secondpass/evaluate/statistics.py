"""Intervals and tests over questions: how sure a mean is, and whether a difference could be chance.

The question is the unit: its value under one system, or the difference of its values under two. All random numbers come
from a seed; memory is bounded whatever the number of questions.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from statistics import NormalDist
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from secondpass.errors import InputError
from secondpass.evaluate.records import Difference, Estimate

LEVEL, DRAWS, SEED = 0.95, 10_000, 13
EQUAL = 1e-9
"""Values of a question that are no further apart are a tie."""

Values: TypeAlias = npt.NDArray[np.float64]
Numbers: TypeAlias = Sequence[float] | npt.NDArray[np.floating]
_NUMBERS_AT_ONCE = 2_000_000
# Of the sample's variance, this much is added to that of every resample. Without it, resamples in which nearly all
# values are equal rule the interval. Chosen on means and differences of the dev sets, 20 and 50 questions: it covers
# 95.0% and 94.8% on average with 0.2, 95.5% and 95.1% (but up to 99.5%) with 0.1, 93.7% and 94.3% with 0.5.
ADDED_VARIANCE = 0.2


def estimate(values: Numbers, draws: int = DRAWS, seed: int = SEED, level: float = LEVEL) -> Estimate:
    """Return the mean of one value per question, with its bootstrap interval.

    The interval of values that cannot be below 0 starts at 0 at the lowest; that of values between 0 and 1, as all
    measures of an order are, ends at 1 at the highest.
    """
    low, high = within_range(bootstrap_interval(values, level, draws, seed), values)
    return Estimate(float(np.mean(values)), low, high)


def within_range(interval: tuple[float, float], values: Numbers) -> tuple[float, float]:
    """Cut an interval where the mean cannot be: below 0 if no value is, above 1 if all lie between 0 and 1.

    It is not cut at the smallest and largest value that were seen: questions that were not drawn may lie beyond them.
    """
    low, high = interval
    if np.min(values) < 0:
        return interval
    return max(low, 0.0), min(high, 1.0) if np.max(values) <= 1 else high


def difference(values: Numbers, baseline: Numbers, draws: int = DRAWS, seed: int = SEED) -> Difference:
    """Return how much ``values`` are above ``baseline``, question by question; ``p_holm`` is not corrected yet."""
    differences = np.asarray(values, np.float64) - np.asarray(baseline, np.float64)
    low, high = bootstrap_interval(differences, LEVEL, draws, seed)
    p_value = paired_test(differences, draws, seed)
    wins, losses = int((differences > EQUAL).sum()), int((differences < -EQUAL).sum())
    ties = len(differences) - wins - losses
    return Difference(float(differences.mean()), low, high, p_value, p_value, wins, ties, losses)


def bootstrap_interval(
    values: Numbers, level: float = LEVEL, draws: int = DRAWS, seed: int = SEED
) -> tuple[float, float]:
    """Return an interval for the mean of the population that ``values`` are drawn from.

    The symmetric studentised bootstrap (Hall 1988, "On symmetric bootstrap confidence intervals"): as many standard
    errors on both sides as ``level`` of the resampled means stay within, each counted in its own. Percentiles of the
    means are too narrow for few questions, and for differences that are mostly 0. In ``benchmarks/intervals.py`` this
    one covers 92 to 98% from 50 questions on, 95 on average, as long as one question in ten differs from the usual
    value; with 20 questions 94 on average. No resampling knows of values that were not drawn: where only a handful of
    questions differ from the rest the interval is too narrow, and where all are equal it has no width.

    Raises:
        InputError: there are no values.
    """
    sample = np.asarray(values, np.float64)
    if not len(sample):
        raise InputError("There is no question to average over; an interval needs at least one value.")
    mean, variance = float(sample.mean()), float(sample.var())
    if variance <= EQUAL**2:
        return mean, mean
    generator = np.random.default_rng(seed)
    centred = sample - mean
    distances = [
        np.abs(moments[0]) / np.sqrt(np.maximum(moments[1] - moments[0] ** 2, 0) + ADDED_VARIANCE * variance)
        for moments in _resampled_moments(centred, draws, generator)
    ]
    # Both variances lack the same factor n / (n - 1), which cancels.
    reach = float(np.quantile(np.concatenate(distances), level)) * math.sqrt((1 + ADDED_VARIANCE) * variance)
    return mean - reach, mean + reach


def _resampled_moments(sample: Values, draws: int, generator: np.random.Generator) -> Iterator[Values]:
    """Yield means and mean squares of resamples, float64 [2, D] in blocks that sum up to ``draws``."""
    distinct, counts = np.unique(sample, return_counts=True)
    count = len(sample)
    # How often each value is drawn is all that matters: soon done where there are few of them, as with MRR@10.
    few = 10 * len(distinct) <= count
    rows = max(_NUMBERS_AT_ONCE // (len(distinct) if few else count), 1)
    for start in range(0, draws, rows):
        size = min(rows, draws - start)
        if few:
            times = generator.multinomial(count, counts / count, size)  # (D, V)
            yield np.stack([times @ distinct, times @ distinct**2]) / count
        else:
            drawn = sample[generator.integers(0, count, (size, count), dtype=np.uint32)]  # (D, Q)
            yield np.stack([drawn.sum(axis=1), np.einsum("dq,dq->d", drawn, drawn)]) / count


def paired_test(differences: Numbers, draws: int = DRAWS, seed: int = SEED) -> float:
    """Return how often chance alone gives a mean as far from 0: the two-sided paired randomisation test (Fisher 1935).

    Under the null hypothesis every difference could as well have the other sign. All patterns of signs are counted
    where there are no more of them than ``draws``; else random ones, and the p-value is never below 1 / (draws + 1).
    """
    given = np.asarray(differences, np.float64)
    moved = given[np.abs(given) > EQUAL]
    if not len(moved):
        return 1.0
    observed = abs(moved.sum()) - EQUAL * np.abs(moved).max()
    exact = len(moved) < 60 and 2 ** len(moved) <= draws
    patterns = _all_signs(len(moved)) if exact else _random_signs(len(moved), draws, seed)
    total = moved.sum()
    as_far = sum(int((np.abs(2 * (bits @ moved) - total) >= observed).sum()) for bits in patterns)
    return as_far / 2 ** len(moved) if exact else (as_far + 1) / (draws + 1)


def _all_signs(count: int) -> Iterator[Values]:
    """Yield every pattern of ``count`` bits, float64 [D, M]."""
    rows = max(_NUMBERS_AT_ONCE // count, 1)
    for start in range(0, 2**count, rows):
        numbers = np.arange(start, min(start + rows, 2**count))
        yield (numbers[:, np.newaxis] >> np.arange(count) & 1).astype(np.float64)


def _random_signs(count: int, draws: int, seed: int) -> Iterator[Values]:
    """Yield ``draws`` random patterns of ``count`` bits, float64 [D, M]."""
    generator = np.random.default_rng(seed)
    rows = max(_NUMBERS_AT_ONCE // count, 1)
    for start in range(0, draws, rows):
        size = min(rows, draws - start)
        packed = generator.integers(0, 256, (size, (count + 7) // 8), dtype=np.uint8)
        yield np.unpackbits(packed, axis=1, count=count).astype(np.float64)


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct p-values for their number (Holm 1979).

    >>> [round(p_value, 3) for p_value in holm([0.01, 0.04, 0.03])]
    [0.03, 0.06, 0.06]
    """
    corrected = [1.0] * len(p_values)
    highest = 0.0
    for rank, place in enumerate(np.argsort(p_values, kind="stable").tolist()):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[place]))
        corrected[place] = highest
    return corrected


def wilson_interval(successes: int, count: int, level: float = LEVEL) -> tuple[float, float]:
    """Return an interval for a share (Wilson 1927); it has a width also where nothing or everything succeeded.

    >>> [round(end, 3) for end in wilson_interval(0, 50)]
    [0.0, 0.071]
    """
    if not count:
        return 0.0, 1.0
    z = NormalDist().inv_cdf((1 + level) / 2)
    share = successes / count
    middle = share + z * z / (2 * count)
    reach = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    scale = 1 + z * z / count
    return max((middle - reach) / scale, 0.0), min((middle + reach) / scale, 1.0)
