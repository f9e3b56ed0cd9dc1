"""MaxSim, the score of late interaction: for every vector of the query the nearest one of the passage, summed.

``score = sum over i of max over j of q_i . p_j`` (ColBERT, arXiv:2004.12832, equation 3). Exact in float32; by AMX
every product of two vectors is off by 2^-17 of the product of their lengths at most.

Passages are packed once and scored by many queries. A pack groups passages of equal length, so that one matrix product
and one maximum do a whole group; lengths are made equal by repeating a passage's own last vector, which changes no
maximum: there is no mask, and nothing that a mask could let through. Vectors are made longer by zeros, up to a multiple
of 32 numbers. What else was tried stands in docs/log.md.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from importlib.util import find_spec
from typing import Literal, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from secondpass.errors import MissingExtraError
from secondpass.models.processor import tiles_refused
from secondpass.types import FloatArray

MaxSimName = Literal["auto", "amx", "onnxruntime", "openvino", "numpy"]
Rows: TypeAlias = npt.NDArray[np.int64]

LENGTH_MULTIPLE, DIMENSION_MULTIPLE = 8, 32
_BLOCK_ROWS = 4096  # the products of a block of so many vectors stay in a core's cache

_ENGINES = {
    "amx": ("llvmlite", "secondpass.models.maxsim_amx:AmxMaxSim", "amx"),
    "onnxruntime": ("onnxruntime", "secondpass.models.maxsim_onnx:open_onnx_maxsim", "onnx"),
    "openvino": ("openvino", "secondpass.models.maxsim_openvino:open_openvino_maxsim", "openvino"),
}
"""Name -> what must be installed, where it is made, the extra it comes with; the fastest first."""

GroupScorer: TypeAlias = Callable[[FloatArray], FloatArray]
"""From passages of one length, float32 [n, L, D], to their scores, float32 [n]."""
QueryScorer: TypeAlias = Callable[[FloatArray], GroupScorer]
"""From a query, float32 [Q, D], to what scores passages for it, in one thread."""


@dataclass(frozen=True, slots=True, eq=False)
class PassageGroup:
    """Passages of one length: ``indices`` int64 [n] says which, ``vectors`` float32 [n, L, D]."""

    indices: Rows
    vectors: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class PackedPassages:
    """The token vectors of ``count`` passages, ready to be scored.

    ``vectors``, float32 [T, D], are those of all groups one after the other, D a multiple of 32. ``order``, int64 [N],
    are the passages in that order; ``ends``, int64 [N], the rows at which they end, each a multiple of 8.
    """

    vectors: FloatArray
    groups: tuple[PassageGroup, ...]
    order: Rows
    ends: Rows

    @property
    def count(self) -> int:
        """The number of passages."""
        return len(self.order)

    def same_width(self, query: FloatArray) -> FloatArray:
        """Return ``query``, float32 [Q, D], with as many numbers a vector as the passages have here, contiguous."""
        missing = self.vectors.shape[1] - query.shape[1]
        return np.pad(np.asarray(query, np.float32), ((0, 0), (0, missing)))


class MaxSim(Protocol):
    """Scores packed passages; safe to share between threads."""

    @property
    def name(self) -> str:
        """The engine's name."""
        ...

    def score(self, query: FloatArray, passages: PackedPassages) -> FloatArray:
        """Return the MaxSim of ``query`` (float32 [Q, D]) with every passage, float32 [N]."""
        ...


def pack(vectors: FloatArray, lengths: Sequence[int]) -> PackedPassages:
    """Pack passages whose token vectors stand one after the other in ``vectors``, float32 [sum of ``lengths``, D].

    Raises:
        ValueError: a passage has no vector, or the lengths do not add up to the vectors.
    """
    sizes = np.asarray(lengths, dtype=np.int64)
    if sizes.sum() != len(vectors) or (len(sizes) and sizes.min() < 1):
        raise ValueError(f"{len(vectors)} vectors cannot be {len(sizes)} passages of {sizes.tolist()[:10]}... vectors")
    starts = np.cumsum(sizes) - sizes
    padded = -(-sizes // LENGTH_MULTIPLE) * LENGTH_MULTIPLE
    dimension = vectors.shape[1]
    groups: list[PassageGroup] = []
    rows = np.empty((int(padded.sum()), -(-dimension // DIMENSION_MULTIPLE) * DIMENSION_MULTIPLE), np.float32)
    rows[:, dimension:] = 0
    filled = 0
    for length in np.unique(padded).tolist():
        members = np.flatnonzero(padded == length)
        step = max(1, _BLOCK_ROWS // length)
        for first in range(0, len(members), step):
            indices = members[first : first + step]
            within = np.minimum(np.arange(length), sizes[indices, None] - 1)  # (n, L)
            group = rows[filled : filled + within.size].reshape(*within.shape, -1)
            np.take(vectors, starts[indices, None] + within, axis=0, out=group[..., :dimension], mode="clip")
            groups.append(PassageGroup(indices, group))
            filled += within.size
    order = np.concatenate([group.indices for group in groups]) if groups else np.empty(0, np.int64)
    return PackedPassages(rows, tuple(groups), order, np.cumsum(padded[order]))


def open_maxsim(name: MaxSimName = "auto") -> MaxSim:
    """Return the engine of this name; ``auto`` takes the fastest that computes here, and numpy always does.

    Raises:
        MissingExtraError: the named engine is not installed.
        InputError: the machine lacks the named engine's instructions.
    """
    return _open(fastest_maxsim() if name == "auto" else name)


@cache
def fastest_maxsim() -> str:
    """Return the name of the first engine that is installed and that this machine can compute with; open nothing."""
    usable = (name for name in _ENGINES if name != "amx" or not tiles_refused())
    return next((name for name in usable if find_spec(_ENGINES[name][0])), "numpy")


def winning_window(query: FloatArray, vectors: FloatArray, window_lengths: Sequence[int]) -> int:
    """Return which window gives most of a passage's score: the sum of the maxima that its vectors reach.

    ``vectors``, float32 [L, D], are those of the passage's windows one after the other; the first of equals wins.
    """
    similarities = query @ vectors.T  # (Q, L)
    windows = np.repeat(np.arange(len(window_lengths)), window_lengths)[similarities.argmax(axis=1)]
    return int(np.bincount(windows, weights=similarities.max(axis=1), minlength=len(window_lengths)).argmax())


class GroupedMaxSim:
    """MaxSim by a function that scores one group after the other."""

    def __init__(self, name: str, prepare: QueryScorer) -> None:
        self.name = name
        self._prepare = prepare

    def score(self, query: FloatArray, passages: PackedPassages) -> FloatArray:
        """Return the MaxSim of ``query`` (float32 [Q, D]) with every passage, float32 [N]."""
        scores = np.zeros(passages.count, np.float32)
        score_group = self._prepare(passages.same_width(query))
        for group in passages.groups:
            scores[group.indices] = score_group(group.vectors)
        return scores


@cache
def _open(name: str) -> MaxSim:
    if name == "numpy":
        return GroupedMaxSim("numpy", lambda query: partial(_score_group, query))
    package, place, extra = _ENGINES[name]
    if find_spec(package) is None:
        raise MissingExtraError(f"MaxSim by {name}", extra)
    module, _, attribute = place.partition(":")
    opened: MaxSim = getattr(importlib.import_module(module), attribute)()
    return opened


def _score_group(query: FloatArray, vectors: FloatArray) -> FloatArray:
    count, length, dimension = vectors.shape
    products = query @ vectors.reshape(-1, dimension).T  # (Q, n x L): the faster of the two orders
    nearest = np.maximum.reduceat(products, np.arange(0, count * length, length), axis=1)  # (Q, n)
    total: FloatArray = nearest.sum(axis=0, dtype=np.float32)
    return total
