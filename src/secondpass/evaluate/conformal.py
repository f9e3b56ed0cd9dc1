"""Thresholds that carry a promise: conformal risk control (Angelopoulos et al., arXiv:2208.02814).

A threshold on scores trades context for answers: the higher, the fewer passages, and the more often the one with the
answer is cut. What is lost to a question at a threshold is its loss. The promise holds in the mean over draws of the
questions for calibration and of the next question, for every distribution, as long as all of them are exchangeable; it
is not a promise for each question, nor for questions of another kind.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from secondpass.errors import InputError
from secondpass.evaluate.records import Estimate
from secondpass.evaluate.statistics import estimate, wilson_interval

_ROUNDING = 1e-12
Losses = npt.ArrayLike


def cut_losses(best: Sequence[float] | npt.NDArray[np.float64], thresholds: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return 1 where a threshold cuts the best score that a question must keep, else 0; float64 [Q, T].

    ``best``, float64 [Q], is the highest score of a passage with the answer; a passage is kept from the threshold on.
    """
    return (np.asarray(best, np.float64)[:, np.newaxis] < np.asarray(thresholds, np.float64)).astype(np.float64)


def choose_threshold(losses: Losses, thresholds: npt.ArrayLike, alpha: float, bound: float = 1.0) -> float | None:
    """Return the highest threshold at which the next question's expected loss is at most ``alpha``.

    ``losses``, float64 [Q, T], are those of every question for calibration at every threshold, never falling from one
    to the next; ``thresholds``, float64 [T], ascend; ``bound`` is the highest loss there can be. Chosen is the highest
    threshold with ``n / (n + 1) * mean loss + bound / (n + 1) <= alpha`` (equation 4 of the paper). None where no
    threshold keeps it, as with fewer than ``bound / alpha - 1`` questions. The lowest threshold should lose nothing:
    what is lost without any threshold, none can bring back.

    Raises:
        InputError: the arrays do not fit together, a loss falls, or lies outside 0 and ``bound``.
    """
    curves, ascending = np.asarray(losses, np.float64), np.asarray(thresholds, np.float64)
    _check(curves, ascending, bound)
    count = len(curves)
    bounds = (curves.sum(axis=0) + bound) / (count + 1)
    kept = np.flatnonzero(bounds <= alpha + _ROUNDING)
    return float(ascending[kept[-1]]) if len(kept) else None


def _check(curves: npt.NDArray[np.float64], thresholds: npt.NDArray[np.float64], bound: float) -> None:
    if curves.ndim != 2 or thresholds.shape != curves.shape[1:]:
        raise InputError(
            f"Losses of shape {curves.shape} do not fit {thresholds.size} thresholds; accepted is one row per question "
            "with one loss per threshold."
        )
    if np.any(np.diff(thresholds) <= 0):
        raise InputError("The thresholds do not ascend; sort them, each of them once.")
    if np.any(np.diff(curves, axis=1) < -_ROUNDING):
        raise InputError("A loss falls where the threshold rises; conformal risk control needs losses that never fall.")
    if curves.size and not (curves.min() >= -_ROUNDING and curves.max() <= bound + _ROUNDING):
        raise InputError(
            f"Losses lie between {curves.min():g} and {curves.max():g}; accepted is 0 to the bound {bound:g}."
        )


def held_out_risk(losses: npt.ArrayLike, level: float = 0.95) -> Estimate:
    """Return the mean loss of a threshold on questions that did not choose it, with an interval.

    ``losses``, float64 [Q]. Where every loss is 0 or 1 the interval is Wilson's, which has a width even where nothing
    was lost; else it is the bootstrap's.
    """
    values = np.asarray(losses, np.float64)
    if not np.isin(values, (0.0, 1.0)).all():
        return estimate(values, level=level)
    low, high = wilson_interval(int(values.sum()), len(values), level)
    return Estimate(float(values.mean()) if len(values) else 0.0, low, high)
