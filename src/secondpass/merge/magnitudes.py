"""The magnitude that a given number of values reaches, found without holding the values."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import numpy.typing as npt

from secondpass.types import FloatArray

_LOW_BITS = 15
_BUCKETS = 1 << 16
_LOW_MASK = np.uint32((1 << _LOW_BITS) - 1)


def magnitude_of_rank(blocks: Callable[[], Iterable[FloatArray]], rank: int) -> float:
    """Return the ``rank``-th largest magnitude (1: the largest) of all values; 0 where there are fewer.

    ``blocks`` gives the values, float32 [N] each, and is called twice: magnitudes of floats are ordered as their bits
    are, so that the first pass counts the upper 16 bits, and the second the lower 15 of those in the deciding bucket.

    >>> values = np.array([3.0, -5.0, 0.5, 1.0], dtype=np.float32)
    >>> [magnitude_of_rank(lambda: [values[:2], values[2:]], rank) for rank in (1, 2, 4, 5)]
    [5.0, 3.0, 0.5, 0.0]
    """
    if rank < 1:
        return 0.0
    counts = np.zeros(_BUCKETS, dtype=np.int64)
    for values in blocks():
        counts += np.bincount(_bits(values) >> _LOW_BITS, minlength=_BUCKETS)
    bucket, above = _deciding(counts, rank)
    if bucket < 0:
        return 0.0
    low = np.zeros(1 << _LOW_BITS, dtype=np.int64)
    for values in blocks():
        bits = _bits(values)
        low += np.bincount(bits[bits >> _LOW_BITS == bucket] & _LOW_MASK, minlength=1 << _LOW_BITS)
    place, _ = _deciding(low, rank - above)
    return float(np.array([(bucket << _LOW_BITS) | place], dtype=np.uint32).view(np.float32)[0])


def _bits(values: FloatArray) -> npt.NDArray[np.uint32]:
    return np.abs(values).view(np.uint32)


def _deciding(counts: npt.NDArray[np.int64], rank: int) -> tuple[int, int]:
    """Return the highest bucket at which the count from above reaches ``rank``, and the count above it."""
    from_above = np.cumsum(counts[::-1])
    index = int(np.searchsorted(from_above, rank))
    if index == len(counts):
        return -1, 0
    above = int(from_above[index - 1]) if index else 0
    return len(counts) - 1 - index, above
