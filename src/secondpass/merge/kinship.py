"""How near models are to each other: whether they share an ancestor, and whether their heads began alike.

Averaging helps where models were fine-tuned from one start and stay in one basin of the loss (model soups,
arXiv:2203.05482); two models that were trained apart give, averaged, neither of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from secondpass.merge.parents import EVIDENCE, Parent
from secondpass.merge.tensor_files import StoredTensor, read_part

Nearness = Literal["near", "apart", "strangers"]
NEAR, APART = 0.1, 0.5
"""Distance as a share of the norm: fine-tuned models are at some hundredths, those of different starts at 1.4."""
_HEAD_COSINE = 0.5
_HEADS = ("classifier.", "score.", "pooler.", "dense.", "linear.", "head.")
_PLACES, _AT_ONCE = 64, 1024
_BIAS = 2
"""Numbers that have no direction worth comparing."""


@dataclass(frozen=True, slots=True)
class Kinship:
    """How far a model is from the first one, in the norm of all weights, heads left out.

    Of tensors of more than 65,536 numbers that many are read, spread over it, so that distances of large models are
    estimates. ``strange_heads`` are the tensors of the head whose directions have little in common.
    """

    first: str
    other: str
    distance: float
    norm: float
    strange_heads: tuple[str, ...]

    @property
    def relative(self) -> float:
        """The distance as a share of the norm."""
        return self.distance / self.norm if self.norm else 0.0

    @property
    def nearness(self) -> Nearness:
        """Whether the two share an ancestor."""
        return "near" if self.relative < NEAR else "apart" if self.relative < APART else "strangers"

    def described(self) -> str:
        """Say it in a sentence."""
        measured = f"{self.other} is {self.distance:.3g} from {self.first}, of a norm of {self.norm:.3g}"
        if self.nearness == "near":
            return f"{measured}: they share an ancestor"
        if self.nearness == "apart":
            return f"{measured}: they may share an ancestor, and one of them went far from it; measure what comes of it"
        return f"{measured}: they share no ancestor; merged, they are likely to give what neither of them knew"

    def warnings(self) -> list[str]:
        """Say what speaks against merging the two."""
        said = [self.described()] if self.nearness != "near" else []
        if self.strange_heads:
            said.append(
                f"the heads of {self.first} and {self.other} began from different random numbers "
                f"({', '.join(self.strange_heads)}): mixed, they partly cancel out"
            )
        return said


def kinship(first: Parent, other: Parent) -> Kinship:
    """Measure how far ``other`` is from ``first``; both have the same tensors."""
    square, distance_square = 0.0, 0.0
    strange = []
    for key, mine in first.tensors.items():
        if not mine.is_float or not mine.size:
            continue
        a, b = _sample(mine), _sample(other.tensors[key])
        share = mine.size / len(a)
        if is_head(key):
            if mine.size > _BIAS and float(a @ b) < _HEAD_COSINE * math.sqrt(float(a @ a) * float(b @ b)):
                strange.append(key)
            continue
        square += share * float(a @ a)
        distance_square += share * float((b - a) @ (b - a))
    return Kinship(first.name, other.name, math.sqrt(distance_square), math.sqrt(square), tuple(strange))


def is_head(key: str) -> bool:
    """Say whether a tensor belongs to what stands on the encoder."""
    place, _, name = key.rpartition("/")
    if place:
        return name.startswith(_HEADS) or key == EVIDENCE.key(name)
    tail = name.split(".")
    return name.startswith(_HEADS) or any(part in {"pooler", "classifier"} for part in tail[:2])


def widest(kinships: Iterable[Kinship]) -> float:
    """Return the largest relative distance."""
    return max((one.relative for one in kinships), default=0.0)


def _sample(stored: StoredTensor) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return the numbers of a tensor, of a large one those of 64 places, as float64."""
    if stored.size <= _PLACES * _AT_ONCE:
        return read_part(stored, 0, stored.size).astype(np.float64)
    starts = np.linspace(0, stored.size - _AT_ONCE, _PLACES).astype(np.int64)
    return np.concatenate([read_part(stored, int(start), _AT_ONCE) for start in starts]).astype(np.float64)
