"""Hashes with the lines they come from, in 16 bytes each: what repeats is found at the end, by sorting."""

from __future__ import annotations

from array import array

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.uint64]
Lines = npt.NDArray[np.uint64]


class HashLog:
    """Keeps a 64-bit hash and a line number for each thing seen."""

    def __init__(self) -> None:
        self._hashes, self._lines = array("Q"), array("Q")

    def __len__(self) -> int:
        return len(self._hashes)

    def add(self, key: int, line: int) -> None:
        """Keep one."""
        self._hashes.append(key)
        self._lines.append(line)

    @property
    def hashes(self) -> Hashes:
        """All hashes, uint64 [N], in the order they came."""
        return np.frombuffer(self._hashes, np.uint64) if len(self) else np.empty(0, np.uint64)

    @property
    def lines(self) -> Lines:
        """The line of each, uint64 [N]."""
        return np.frombuffer(self._lines, np.uint64) if len(self) else np.empty(0, np.uint64)

    def repeated(self) -> npt.NDArray[np.intp]:
        """Return the places of those that stood before, ascending."""
        order = np.argsort(self.hashes, kind="stable")
        ordered = self.hashes[order]
        again = np.flatnonzero(ordered[1:] == ordered[:-1]) + 1 if len(ordered) else np.empty(0, np.intp)
        return np.sort(order[again])

    def also_in(self, other: HashLog) -> npt.NDArray[np.intp]:
        """Return the places of those that ``other`` has too, ascending."""
        return np.flatnonzero(np.isin(self.hashes, other.hashes))
