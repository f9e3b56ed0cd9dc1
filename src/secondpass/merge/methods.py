"""What a merge makes of one tensor: the protocol, mixing by weights, and the way along the sphere.

Every method works on blocks of flat tensors, so that its memory does not depend on how large a tensor is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from secondpass.merge.tensor_files import AlignedTensor
from secondpass.types import FloatArray, Json

_NEARLY_PARALLEL = 1e-6


Progress = Callable[[int, int, str], None]
"""Hears how many bytes of how many are done, and what is at hand."""


def no_progress(done_bytes: int, total_bytes: int, tensor: str) -> None:
    """Hear nothing."""


class MergeMethod(Protocol):
    """Makes one tensor of several."""

    @property
    def name(self) -> str:
        """The method's name."""
        ...

    @property
    def needs_base(self) -> bool:
        """Whether it works on differences from a base model."""
        ...

    @property
    def settings(self) -> Mapping[str, Json]:
        """What was chosen, for the record of the merge."""
        ...

    def prepared(self, tensors: Sequence[AlignedTensor], progress: Progress = no_progress) -> MergeMethod:
        """Return the method with what it has to know of the whole model; most need nothing."""
        ...

    def blocks(self, tensor: AlignedTensor) -> Iterator[FloatArray]:
        """Yield the merged tensor, float32 [up to BLOCK], in the order of its numbers."""
        ...


@dataclass(frozen=True, slots=True)
class Mix:
    """The weighted mean of the models.

    theta = sum_i w_i theta_i, summed in the order of the models in float32 (LM-Cocktail, arXiv:2311.13534, equation 1;
    model soups, arXiv:2203.05482).
    """

    weights: tuple[float, ...]
    name: str = "mix"
    needs_base: bool = False

    @property
    def settings(self) -> Mapping[str, Json]:
        """The weights."""
        return {"weights": self.weights}

    def prepared(self, tensors: Sequence[AlignedTensor], progress: Progress = no_progress) -> Mix:
        """Return itself."""
        del tensors, progress
        return self

    def blocks(self, tensor: AlignedTensor) -> Iterator[FloatArray]:
        """Yield the weighted sum."""
        for parents, _ in tensor.blocks():
            for weight, values in zip(self.weights, parents, strict=True):
                np.multiply(values, np.float32(weight), out=values)
            for values in parents[1:]:
                np.add(parents[0], values, out=parents[0])
            yield parents[0]


@dataclass(frozen=True, slots=True)
class Slerp:
    """The point at ``position`` (0: first model, 1: second) of the arc between two models, tensor by tensor.

    theta = sin((1 - t) O) / sin(O) theta_1 + sin(t O) / sin(O) theta_2, with O the angle between the two as flat
    vectors (Shoemake, Animating Rotation with Quaternion Curves, SIGGRAPH 1985). Where they are parallel, or one of
    them is zero, the arc has no direction and the straight line is taken.
    """

    position: float
    name: str = "slerp"
    needs_base: bool = False

    @property
    def settings(self) -> Mapping[str, Json]:
        """The position on the arc."""
        return {"position": self.position}

    def prepared(self, tensors: Sequence[AlignedTensor], progress: Progress = no_progress) -> Slerp:
        """Return itself."""
        del tensors, progress
        return self

    def blocks(self, tensor: AlignedTensor) -> Iterator[FloatArray]:
        """Yield the point on the arc; the tensor is read twice, first for the angle."""
        shares = self._shares(tensor)
        yield from Mix(shares).blocks(tensor)

    def _shares(self, tensor: AlignedTensor) -> tuple[float, float]:
        dot = first_square = second_square = 0.0
        for (first, second), _ in tensor.blocks():
            a, b = first.astype(np.float64), second.astype(np.float64)
            dot += float(a @ b)
            first_square += float(a @ a)
            second_square += float(b @ b)
        straight = (1 - self.position, self.position)
        if not (norms := math.sqrt(first_square) * math.sqrt(second_square)):
            return straight
        angle = math.acos(max(-1.0, min(1.0, dot / norms)))
        if (sine := math.sin(angle)) < _NEARLY_PARALLEL:
            return straight
        return math.sin((1 - self.position) * angle) / sine, math.sin(self.position * angle) / sine
