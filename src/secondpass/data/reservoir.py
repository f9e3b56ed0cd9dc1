"""A fair sample of what passes by, of a size known before."""

from __future__ import annotations

import random
from typing import Generic, TypeVar

T = TypeVar("T")


class Reservoir(Generic[T]):
    """Keeps ``size`` of all that is added, each with the same chance (Vitter, algorithm R, 1985)."""

    def __init__(self, size: int, seed: int) -> None:
        self._size, self._random = size, random.Random(seed)
        self._kept: list[tuple[int, T]] = []
        self.added = 0

    def add(self, thing: T) -> None:
        """Offer one thing."""
        self.added += 1
        if len(self._kept) < self._size:
            self._kept.append((self.added, thing))
        elif (place := self._random.randrange(self.added)) < self._size:
            self._kept[place] = (self.added, thing)

    @property
    def sample(self) -> list[T]:
        """What was kept, in the order it came."""
        return [thing for _, thing in sorted(self._kept, key=lambda kept: kept[0])]
