"""Preferences that stand in for a model: the same ones for the published algorithms and for the rankers here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from zlib import crc32

Kind = Literal["table", "circles", "places", "grades"]


@dataclass(frozen=True)
class Preference:
    """Prefers some numbers to others, and says the same to the same question.

    ``table``: by a table of relevance without equals. ``circles``: by the table, changed by who else is shown, so that
    choices go round in circles, but nobody's depends on the order in which passages are shown. ``places``: changed by
    that order too, so that a pair may end in a draw. ``grades``: by 0, 1, 2 or 3, of equals the one shown first.
    """

    kind: Kind
    seed: int

    def choose(self, shown: Sequence[int]) -> int:
        """Return the place of the best among the numbers ``shown``."""
        worths = self._worths(shown)
        return worths.index(max(worths))

    def order(self, shown: Sequence[int]) -> list[int]:
        """Return the places of the numbers ``shown``, the best first."""
        worths = self._worths(shown)
        return sorted(range(len(shown)), key=lambda place: -worths[place])

    def relevance(self, number: int) -> float:
        """Return what the table says of ``number``."""
        share = self._share(f"{number}")
        return share // 0.25 if self.kind == "grades" else share

    def _worths(self, shown: Sequence[int]) -> list[float]:
        about = {"circles": str(sorted(shown)), "places": str(list(shown))}.get(self.kind)
        changes = [0.4 * self._share(f"{number} {about}") if about else 0.0 for number in shown]
        return [self.relevance(number) + change for number, change in zip(shown, changes, strict=True)]

    def _share(self, text: str) -> float:
        """Return a number from 0 to 1 that is always the same for ``text``."""
        return crc32(f"{self.seed} {text}".encode()) / 2**32
