"""Passages that questions are written for: long enough, and drawn by lot where not all are wanted."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b

from secondpass.data.training_texts import has_letters
from secondpass.text.language import estimate_tokens

_LEAST_TOKENS = 20


@dataclass(frozen=True, slots=True)
class Passage:
    """A passage and its id."""

    id: str
    text: str


def askable(passages: Iterable[Passage], left_out: Counter[str]) -> Iterator[Passage]:
    """Yield the passages that say enough to be asked about; the others are counted."""
    for passage in passages:
        if has_letters(passage.text) and estimate_tokens(passage.text) >= _LEAST_TOKENS:
            yield passage
        else:
            left_out["passages too short to be asked about"] += 1


def choose(passages: Iterable[Passage], count: int, seed: int) -> list[Passage]:
    """Return ``count`` of ``passages``, by a lot that each id draws: the same ones however others come and go."""

    def lot(passage: Passage) -> bytes:
        return blake2b(f"{seed} {passage.id}".encode(), digest_size=8).digest()

    return heapq.nsmallest(count, passages, key=lot)
