"""What a way of ranking with a chat model is, and the order it comes to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from secondpass.rerank.ranking_calls import RankingRun
from secondpass.types import Message, Scale


@dataclass(frozen=True, slots=True)
class Ranking:
    """A score for every passage, in their order; ``rank_only`` where the scores say nothing but the order.

    ``agreement`` and ``position_bias``: see `RankingReport`.
    """

    scores: tuple[float, ...]
    scale: Scale = "rank_only"
    agreement: float | None = None
    position_bias: float | None = None


class RankingMethod(Protocol):
    """Asks a chat model about passages, and makes an order of what it says; safe to share between threads.

    Passages are fenced (`secondpass.rerank.ranking_passages`), cut, different, and none is empty.
    """

    @property
    def name(self) -> str:
        """What the way of asking is called."""
        ...

    @property
    def least(self) -> int:
        """How many passages there must be for a question to be worth asking."""
        ...

    def shown_together(self, count: int) -> int:
        """Return how many of ``count`` passages stand in the longest prompt."""
        ...

    def longest_prompt(self, query: str, passages: Sequence[str]) -> tuple[Message, ...]:
        """Return the messages that show ``passages`` together."""
        ...

    def rank(self, run: RankingRun, query: str, passages: Sequence[str], wanted: int, /) -> Ranking:
        """Rank ``passages``; only the order of the best ``wanted`` needs to be right."""
        ...


def in_order(order: Sequence[int], count: int) -> Ranking:
    """Return the ranking in which ``order`` comes first and the rest follows in the given order."""
    listed = set(order)
    whole = [*order, *(place for place in range(count) if place not in listed)]
    scores = [0.0] * count
    for rank, place in enumerate(whole):
        scores[place] = float(count - rank)
    return Ranking(tuple(scores))
