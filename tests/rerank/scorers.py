"""A scorer for tests of what stands around one: it counts shared characters, and remembers what it was asked."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from secondpass.types import PassageScore, Scale, Span


@dataclass
class CharacterScorer:
    """Scores by the share of the query's characters that a passage holds, as ``logit`` or ``probability``."""

    scale: Scale = "logit"
    fingerprint: str = "characters-1"
    gives_probability: bool = True
    seconds_per_character: float = 0.0
    window: int | None = None
    points: bool = False
    name: str = "characters"
    asked: list[tuple[str, str]] = field(default_factory=list)

    def score(self, query: str, passages: Sequence[str]) -> list[PassageScore]:
        assert all(passage.strip() for passage in passages)
        assert len(set(passages)) == len(passages)
        self.asked += [(query, passage) for passage in passages]
        time.sleep(self.seconds_per_character * sum(map(len, passages)))
        return [self._score(query, passage) for passage in passages]

    def _score(self, query: str, passage: str) -> PassageScore:
        share = len(set(query) & set(passage)) / len(set(query))
        number = share if self.scale == "probability" else 8 * share - 4
        if self.points:
            span = next((Span(place, place + 1) for place, char in enumerate(passage) if char in query), None)
            return PassageScore(number, span, len(passage), evidence_confidence=share if span else None)
        if self.window is None or len(passage) <= self.window:
            return PassageScore(number, tokens=len(passage))
        return PassageScore(number, Span(0, self.window), len(passage), windows=2, truncated=True)
