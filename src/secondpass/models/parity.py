"""How far one engine's scores are from another's, and whether the order they give is the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from secondpass.models.engine import Batch, EncoderEngine
from secondpass.types import FloatArray


@dataclass(frozen=True, slots=True)
class Parity:
    """Engine B against engine A over the same sequences.

    ``max_difference`` and ``spread`` (the standard deviation of A's numbers) have one unit, so that their quotient says
    whether the difference matters. ``kendall_tau``: tau-a of the two orders, 1 for the same one. ``top10_overlap``: how
    many of A's ten best are among B's ten best, as a share. ``count``: how many sequences were compared.
    """

    max_difference: float
    spread: float
    kendall_tau: float
    top10_overlap: float
    count: int


def parity(engine_a: EncoderEngine, engine_b: EncoderEngine, batches: Sequence[Batch]) -> Parity:
    """Compare the first column of two engines' outputs (a classifier's logit) over ``batches``."""
    a, b = (np.concatenate([engine.run(batch)[:, 0] for batch in batches]) for engine in (engine_a, engine_b))
    return compare(a, b)


def compare(a: FloatArray, b: FloatArray) -> Parity:
    """Compare two scorings of the same N sequences, float32 [N] each."""
    top = min(10, len(a))
    shared = set(_best(a, top)) & set(_best(b, top))
    return Parity(
        max_difference=float(np.abs(a - b).max(initial=0.0)),
        spread=float(np.std(a)) if len(a) else 0.0,
        kendall_tau=kendall_tau(a, b),
        top10_overlap=len(shared) / top if top else 1.0,
        count=len(a),
    )


def kendall_tau(a: FloatArray, b: FloatArray) -> float:
    """Return tau-a: agreeing minus disagreeing pairs over all pairs (Kendall 1938); 1 for fewer than two.

    >>> kendall_tau(np.array([3.0, 2.0, 1.0]), np.array([3.0, 1.0, 2.0])).__round__(3)
    0.333
    """
    if len(a) < 2:
        return 1.0
    agreement = 0.0
    for index in range(1, len(a)):
        agreement += float((np.sign(a[index] - a[:index]) * np.sign(b[index] - b[:index])).sum())
    return agreement / (len(a) * (len(a) - 1) / 2)


def _best(scores: FloatArray, count: int) -> list[int]:
    order: npt.NDArray[np.intp] = np.argsort(-scores, kind="stable")
    return [int(index) for index in order[:count]]
