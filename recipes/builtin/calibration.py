"""Make scores mean something: the logistic function of a score becomes the chance that the passage answers.

Two numbers, a slope and a shift (Platt, 1999), fitted on dev lists of a first stage's length, go into the last layer's
weights, so that every library that loads the model gives calibrated scores.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Line:
    """``slope * score + shift`` is the logarithm of the odds."""

    slope: float
    shift: float


def fit_line(scores: Floats, relevant: Floats, rounds: int = 50) -> Line:
    """Return the line with the largest likelihood; ``scores`` and ``relevant`` (0 or 1): float64 [N].

    Newton's method on standardized scores, its steps halved until the likelihood grows.
    """
    middle, width = scores.mean(), max(float(scores.std()), 1e-9)
    inputs = np.stack([(scores - middle) / width, np.ones_like(scores)], axis=1)
    line = np.zeros(2)
    for _ in range(rounds):
        chance = _logistic(inputs @ line)
        slope = inputs.T @ (chance - relevant)
        curve = (inputs * (chance * (1 - chance))[:, None]).T @ inputs + 1e-9 * np.eye(2)
        step = np.linalg.solve(curve, slope)
        while _loss(inputs @ (line - step), relevant) > _loss(inputs @ line, relevant) and np.abs(step).max() > 1e-12:
            step = step / 2
        line = line - step
        if np.abs(step).max() < 1e-9:
            break
    return Line(float(line[0] / width), float(line[1] - line[0] * middle / width))


def _loss(log_odds: Floats, relevant: Floats) -> float:
    return float((np.logaddexp(0, log_odds) - relevant * log_odds).sum())


def _logistic(log_odds: Floats) -> Floats:
    return np.asarray(np.exp(-np.logaddexp(0, -log_odds)))


def calibration_error(scores: Floats, relevant: Floats, bins: int = 10) -> float:
    """Return the expected calibration error of log-odds, in bins of equal counts (Nixon et al., arXiv:1904.01685)."""
    chance = _logistic(scores)
    order = np.argsort(chance, kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part)]
    return float(sum(len(part) * abs(chance[part].mean() - relevant[part].mean()) for part in parts) / len(scores))
