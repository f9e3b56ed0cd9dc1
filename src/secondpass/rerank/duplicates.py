"""Leave out passages that say again what a better one has said, nearly word by word.

Passages are compared by their runs of three words or Chinese characters: resemblance is the part that two sets of runs
share (Broder, "On the resemblance and containment of documents", 1997). A list of candidates is short enough to count
it exactly, without sketches.
"""

from __future__ import annotations

import logging
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from secondpass.errors import InputError
from secondpass.rerank.post_step import passed, ranked, step_name
from secondpass.text.normalize import fold, is_han
from secondpass.types import Hit, Reranker

_log = logging.getLogger(__name__)
_STEP = "dedupe"
_RUN = 3
_WORD = re.compile(r"\w+")
_NAMED = 5


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A passage that resembles one before it: the places of both in the list, and how much they share (0 to 1)."""

    place: int
    of: int
    resemblance: float


class NearDuplicateReranker:
    """Keep the first of passages that share ``threshold`` or more of their runs; order and scores stay as they are.

    How many were left out, and which, is logged; `find_duplicates` tells it of a list. Passages without text are kept.
    """

    def __init__(self, inner: Reranker | None = None, threshold: float = 0.8) -> None:
        if not 0 < threshold <= 1:
            raise InputError(f"The threshold is {threshold}; it must lie above 0 and be 1 (the same runs) at most.")
        self.inner = inner
        self.threshold = threshold

    @property
    def name(self) -> str:
        """``dedupe``, behind the name of what it follows."""
        return step_name(self.inner, _STEP)

    def rerank(self, query: str, hits: Sequence[Hit], top_n: int | None = None) -> list[Hit]:
        """Return the best ``top_n`` of ``hits`` without near-duplicates of better ones."""
        given = ranked(self.inner, query, hits, top_n)
        duplicates = find_duplicates([hit.chunk.text for hit in given], self.threshold)
        if duplicates:
            named = ", ".join(f"{given[d.place].chunk.id} (like {given[d.of].chunk.id})" for d in duplicates[:_NAMED])
            more = " …" if len(duplicates) > _NAMED else ""
            _log.info("%s left out %d of %d passages: %s%s", self.name, len(duplicates), len(given), named, more)
        left_out = {duplicate.place for duplicate in duplicates}
        return passed([hit for place, hit in enumerate(given) if place not in left_out][:top_n], _STEP)


def find_duplicates(texts: Sequence[str], threshold: float) -> list[Duplicate]:
    """Return which of ``texts`` resemble one that is kept before them, each with the one it resembles most.

    >>> find_duplicates(["西安交通大学在西安。", "西安交通大学，在西安！", "北京大学在北京。"], 0.8)
    [Duplicate(place=1, of=0, resemblance=1.0)]
    """
    kept_with: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
    sizes: dict[int, int] = {}
    duplicates: list[Duplicate] = []
    for place, text in enumerate(texts):
        if not text.strip():
            continue
        found = runs(text)
        shared = Counter(kept for run in found for kept in kept_with.get(run, ()))
        alike = {kept: count / (len(found) + sizes[kept] - count) for kept, count in shared.items()}
        best = max(alike, key=lambda kept: (alike[kept], -kept), default=None)
        if best is not None and alike[best] >= threshold:
            duplicates.append(Duplicate(place, best, alike[best]))
            continue
        sizes[place] = len(found)
        for run in found:
            kept_with[run].append(place)
    return duplicates


def runs(text: str) -> set[tuple[str, ...]]:
    """Return the runs of three words or Chinese characters; a shorter text is one run, signs alone are themselves.

    >>> sorted(runs("西安 City Wall，2024"))
    [('city', 'wall', '2024'), ('安', 'city', 'wall'), ('西', '安', 'city')]
    """
    units: list[str] = []
    for word in _WORD.findall(fold(text)):
        units += _units(word)
    if not units:
        return {(text.strip(),)}
    return {tuple(units[start : start + _RUN]) for start in range(max(len(units) - _RUN + 1, 1))}


def _units(word: str) -> list[str]:
    """Return Chinese characters one by one, and what stands between them whole."""
    units: list[str] = []
    for character in word:
        if units and not is_han(character) and not is_han(units[-1][-1]):
            units[-1] += character
        else:
            units.append(character)
    return units
