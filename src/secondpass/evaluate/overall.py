"""Systems over several tasks: every task counts the same, however many questions it has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from secondpass.evaluate.records import Difference, Estimate, OverallResult
from secondpass.evaluate.statistics import ADDED_VARIANCE, EQUAL, LEVEL, paired_test, within_range
from secondpass.evaluate.summary import Values
from secondpass.types import Language

_Columns = npt.NDArray[np.float64]
_Numbers = npt.NDArray[np.float64]
_NUMBERS_AT_ONCE = 4_000_000
_MOST_NUMBERS = 400_000_000
_LEAST_DRAWS = 500


@dataclass(frozen=True, slots=True, eq=False)
class MeasuredTask:
    """The values of all systems of one task, and the names of those that are held to its baseline."""

    name: str
    language: Language
    baseline: str
    values: Mapping[str, Values]
    tested: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sampling:
    """How often, and from which seed, random numbers are drawn."""

    draws: int
    seed: int


def overall_results(tasks: Sequence[MeasuredTask], measures: Sequence[str], sampling: Sampling) -> list[OverallResult]:
    """Return every system's macro means: over all tasks, and over those of each language; not over one task."""
    if len(tasks) < 2:
        return []
    groups: list[tuple[str, Sequence[MeasuredTask]]] = [("", tasks)]
    languages = sorted({task.language for task in tasks})
    if len(languages) > 1:
        of_one = {language: [task for task in tasks if task.language == language] for language in languages}
        groups += [(language, found) for language, found in of_one.items() if len(found) > 1]
    return [
        _overall(name, language, group, measures, sampling)
        for language, group in groups
        for name in dict.fromkeys(name for task in group for name in task.values)
    ]


def _overall(
    name: str, language: str, group: Sequence[MeasuredTask], measures: Sequence[str], sampling: Sampling
) -> OverallResult:
    tasks = [task for task in group if name in task.values]
    tested = all(name in task.tested for task in tasks)
    values = [_stack(task.values[name], measures) for task in tasks]
    changes = [_stack(task.values[name], measures) - _stack(task.values[task.baseline], measures) for task in tasks]
    both = [np.hstack(pair) for pair in zip(values, changes, strict=True)]
    low, high = macro_intervals(both, sampling)
    means = np.mean([columns.mean(axis=0) for columns in both], axis=0)
    count = len(measures)
    estimates = {}
    for column, measure in enumerate(measures):
        every = np.concatenate([columns[:, column] for columns in values])
        interval = within_range((float(low[column]), float(high[column])), every)
        estimates[measure] = Estimate(float(means[column]), *interval)
    differences = {}
    for column, measure in enumerate(measures if tested else ()):
        moved = (float(means[count + column]), float(low[count + column]), float(high[count + column]))
        differences[measure] = _difference([change[:, column] for change in changes], moved, sampling)
    return OverallResult(name, language, len(tasks), estimates, differences)


def _stack(values: Values, measures: Sequence[str]) -> _Columns:
    return np.stack([values[measure] for measure in measures], axis=1)  # (Q, M)


def macro_intervals(tasks: Sequence[_Columns], sampling: Sampling) -> tuple[_Numbers, _Numbers]:
    """Return the 95% intervals of macro means, float64 [C] each; questions are drawn again within their tasks.

    ``tasks``: float64 [Q, C] each. The symmetric studentised bootstrap, as in `statistics.bootstrap_interval`. There
    are ``sampling.draws`` resamples, and fewer for very many questions.
    """
    count = len(tasks)
    means = sum(values.mean(axis=0) for values in tasks) / count
    variance = sum(values.var(axis=0) / len(values) for values in tasks) / count**2
    drawn_means, drawn_variances = _resampled(tasks, sampling)
    spread = np.sqrt(np.maximum(drawn_variances, 0) + ADDED_VARIANCE * variance)
    distances = np.divide(np.abs(drawn_means), spread, out=np.zeros_like(drawn_means), where=spread > 0)
    reach = np.quantile(distances, LEVEL, axis=0) * np.sqrt((1 + ADDED_VARIANCE) * variance)
    return means - reach, means + reach


def _resampled(tasks: Sequence[_Columns], sampling: Sampling) -> tuple[_Columns, _Columns]:
    """Return how far macro means of resamples are from the mean, and the variance of each, float64 [R, C]."""
    generator = np.random.default_rng(sampling.seed)
    draws = max(min(sampling.draws, _MOST_NUMBERS // sum(map(len, tasks))), _LEAST_DRAWS)
    means, variances = np.zeros((draws, tasks[0].shape[1])), np.zeros((draws, tasks[0].shape[1]))
    for values in tasks:
        count = len(values)
        centred = values - values.mean(axis=0)
        at_once = max(_NUMBERS_AT_ONCE // count, 1)
        for first in range(0, draws, at_once):
            rows = min(at_once, draws - first)
            drawn = generator.integers(0, count, (rows, count)) + np.arange(rows)[:, None] * count
            times = np.bincount(drawn.ravel(), minlength=rows * count).reshape(rows, count).astype(np.float64)
            mean = times @ centred / count
            means[first : first + rows] += mean / len(tasks)
            variances[first : first + rows] += (times @ centred**2 / count - mean**2) / count / len(tasks) ** 2
    return means, variances


def _difference(changes: Sequence[_Columns], interval: tuple[float, float, float], sampling: Sampling) -> Difference:
    """Return the macro difference; its test draws a sign for every question, weighted as its task is."""
    weighted = np.concatenate([change / len(change) for change in changes])
    every = np.concatenate(changes)
    p_value = paired_test(weighted * len(weighted) / len(changes), sampling.draws, sampling.seed)
    wins, losses = int((every > EQUAL).sum()), int((every < -EQUAL).sum())
    return Difference(*interval, p_value, p_value, wins, len(every) - wins - losses, losses)
