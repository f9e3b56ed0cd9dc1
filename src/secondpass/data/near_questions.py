"""All questions of a file that nearly are another one of it, without comparing all with all."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from secondpass.data.near_texts import BANDS, band_keys
from secondpass.data.training_texts import Shingles, query_shingles, resemblance
from secondpass.data.work_progress import Progress, no_progress

_COMPARED = 100
"""Questions before it in a band with which one is compared; it has 16 bands."""


class NearQuestions:
    """Questions, by number; some 400 bytes of each are kept.

    Two are near that share ``threshold`` of their runs. Compared are those that agree in a band of their signatures, as
    in `secondpass.data.near_texts`.
    """

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
        self._keys, self._runs, self._ends = array("Q"), array("Q"), array("Q", [0])

    def __len__(self) -> int:
        return len(self._ends) - 1

    def add(self, text: str) -> None:
        """Keep a question; its number is how many were kept before."""
        shingles = query_shingles(text)
        self._keys.frombytes(band_keys(shingles).tobytes())
        self._runs.frombytes(shingles.tobytes())
        self._ends.append(len(self._runs))

    def pairs(self, known: Callable[[int, int], bool], progress: Progress = no_progress) -> Iterator[tuple[int, int]]:
        """Yield the numbers of two questions that are near; those that are ``known`` to be are not compared."""
        keys = np.frombuffer(self._keys, np.uint64).reshape(-1, BANDS)
        for band in range(BANDS):
            progress("parts of all questions compared", band, BANDS)
            for group in _alike(keys[:, band]):
                for place, second in enumerate(group):
                    for first in group[max(place - _COMPARED, 0) : place]:
                        if not known(first, second) and self._near(first, second):
                            yield first, second

    def _near(self, first: int, second: int) -> bool:
        return resemblance(self._shingles(first), self._shingles(second)) >= self._threshold

    def _shingles(self, number: int) -> Shingles:
        return np.frombuffer(self._runs, np.uint64)[self._ends[number] : self._ends[number + 1]]


def _alike(keys: npt.NDArray[np.uint64]) -> Iterator[list[int]]:
    """Yield the places of each key that stands more than once."""
    order = np.argsort(keys, kind="stable")
    ends = np.flatnonzero(np.diff(keys[order])) + 1
    for group in np.split(order, ends):
        if len(group) > 1:
            yield group.tolist()
