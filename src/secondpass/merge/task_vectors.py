"""Methods that work on what each model learned: its difference from the base that all were made of."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from secondpass.merge.magnitudes import magnitude_of_rank
from secondpass.merge.methods import Progress, no_progress
from secondpass.merge.tensor_files import AlignedTensor
from secondpass.types import FloatArray, Json

TrimScope = Literal["model", "tensor"]
SignRule = Literal["none", "ties"]


@dataclass(frozen=True, slots=True)
class Ties:
    """TIES-Merging (arXiv:2306.01708): trim, elect a sign for every number, and take the mean of those that agree.

    With tau_i = theta_i - theta_0, the numbers of each tau_i below its ``density``-quantile of magnitude become 0; the
    sign is gamma = sgn(sum_i w_i tau_i); tau = sum_A w_i tau_i / sum_A w_i over A = {i: sgn(tau_i) = gamma}; and
    theta = theta_0 + ``scale`` tau. Equal weights are the paper's. ``scope``: the quantile is that of the whole model,
    as in the paper, or of each tensor.

    ``thresholds``: the quantile of each model, once it is known.
    """

    weights: tuple[float, ...]
    density: float = 0.2
    scale: float = 1.0
    scope: TrimScope = "model"
    thresholds: tuple[float, ...] = ()
    name: str = "ties"
    needs_base: bool = True

    @property
    def settings(self) -> Mapping[str, Json]:
        """Weights, density, scale and scope."""
        return {"weights": self.weights, "density": self.density, "scale": self.scale, "scope": self.scope}

    def prepared(self, tensors: Sequence[AlignedTensor], progress: Progress = no_progress) -> Ties:
        """Return the method with the thresholds of the whole model, which is read twice for each of its parents."""
        if self.scope == "tensor":
            return self
        return replace(self, thresholds=_thresholds(tensors, len(self.weights), self.density, progress))

    def blocks(self, tensor: AlignedTensor) -> Iterator[FloatArray]:
        """Yield the base and the mean of what agrees."""
        thresholds = self.thresholds or _thresholds([tensor], len(self.weights), self.density)
        for parents, base in tensor.blocks():
            for learned, threshold in zip(parents, thresholds, strict=True):
                np.subtract(learned, base, out=learned)
                learned[np.abs(learned) < np.float32(threshold)] = 0
            yield base + np.float32(self.scale) * agreeing_mean(parents, self.weights)


@dataclass(frozen=True, slots=True)
class Dare:
    """DARE (arXiv:2311.03099): drop most of what each model learned, by chance, and scale up the rest.

    With delta_i = theta_i - theta_0 and m_i drawn 0 with probability ``drop``, else 1:
    delta'_i = m_i delta_i / (1 - ``drop``), whose expectation is delta_i. ``signs`` none:
    theta = theta_0 + ``scale`` sum_i w_i delta'_i. ``signs`` ties: the mean of those that agree with the elected sign,
    as in `Ties`, without trimming. The same ``seed`` gives the same numbers.
    """

    weights: tuple[float, ...]
    drop: float = 0.9
    scale: float = 1.0
    seed: int = 13
    signs: SignRule = "none"
    name: str = "dare"
    needs_base: bool = True

    @property
    def settings(self) -> Mapping[str, Json]:
        """Weights, drop rate, scale, seed, and the rule of signs."""
        return {
            "weights": self.weights, "drop": self.drop, "scale": self.scale, "seed": self.seed, "signs": self.signs,
        }  # fmt: skip

    def prepared(self, tensors: Sequence[AlignedTensor], progress: Progress = no_progress) -> Dare:
        """Return itself."""
        del tensors, progress
        return self

    def blocks(self, tensor: AlignedTensor) -> Iterator[FloatArray]:
        """Yield the base and the sum of what was kept."""
        chances = [self._chance(index, tensor.key) for index in range(len(self.weights))]
        for parents, base in tensor.blocks():
            for learned, chance in zip(parents, chances, strict=True):
                np.subtract(learned, base, out=learned)
                learned[chance.random(len(learned), dtype=np.float32) < self.drop] = 0
                np.divide(learned, np.float32(1 - self.drop), out=learned)
            if self.signs == "ties":
                together = agreeing_mean(parents, self.weights)
            else:
                together = _weighted_sum(parents, self.weights)
            yield base + np.float32(self.scale) * together

    def _chance(self, parent: int, key: str) -> np.random.Generator:
        """Return the stream of one tensor of one model: no tensor depends on how many were merged before it."""
        digest = hashlib.sha256(key.encode()).digest()
        return np.random.default_rng([self.seed, parent, int.from_bytes(digest[:8], "little")])


def agreeing_mean(learned: Sequence[FloatArray], weights: Sequence[float]) -> FloatArray:
    """Return the weighted mean of the numbers that have the sign of their weighted sum; 0 where none has.

    ``learned``: float32 [N] of each model. TIES-Merging (arXiv:2306.01708), section 4, steps 2 and 3.
    """
    elected = _weighted_sum(learned, weights)
    up, down = elected > 0, elected < 0
    total = np.zeros_like(elected)
    share = np.zeros_like(elected)
    for values, weight in zip(learned, weights, strict=True):
        agrees = ((values > 0) & up | (values < 0) & down).astype(np.float32)
        np.multiply(agrees, np.float32(weight), out=agrees)
        share += agrees
        total += agrees * values
    share[share == 0] = 1
    return np.divide(total, share, out=total)


def _weighted_sum(learned: Sequence[FloatArray], weights: Sequence[float]) -> FloatArray:
    total = np.float32(weights[0]) * learned[0]
    for values, weight in zip(learned[1:], weights[1:], strict=True):
        total += np.float32(weight) * values
    return total


def _thresholds(
    tensors: Sequence[AlignedTensor], parents: int, density: float, progress: Progress = no_progress
) -> tuple[float, ...]:
    """Return for each parent the magnitude that the ``density`` share of what it learned reaches."""
    kept = math.ceil(density * sum(tensor.size for tensor in tensors))
    done, total = 0, 2 * sum(tensor.parents[parent].bytes for tensor in tensors for parent in range(parents))

    def learned(parent: int) -> Iterator[FloatArray]:
        nonlocal done
        for tensor in tensors:
            alone = AlignedTensor(tensor.key, (tensor.parents[parent],), tensor.base)
            for (values,), base in alone.blocks():
                yield np.subtract(values, base, out=values)
            done += tensor.parents[parent].bytes
            progress(done, total, f"how much model {parent + 1} of {parents} learned: {tensor.key}")

    return tuple(magnitude_of_rank(lambda index=parent: learned(index), kept) for parent in range(parents))  # type: ignore[misc]
