"""Which found passages may be negatives: none that is right, nearly right, or that a teacher holds for right."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from secondpass.data.training_texts import Shingles, may_resemble, passage_shingles, resemblance, text_key
from secondpass.types import Scale

_LOGARITHMIC: tuple[Scale, ...] = ("logit", "log_odds")
PERCENT_OF_POSITIVE = 0.95
"""NV-Retriever's TopK-PercPos (arXiv:2407.15831): a negative may have 95 % of the positive's score at most."""


@dataclass(frozen=True, slots=True)
class Margins:
    """How far below the positive a teacher must place a negative.

    ``relative``: the share of the positive's score that a negative may have at most, logits taken as probabilities.
    ``absolute``: how much lower its raw score must be at least. ``highest``: what its raw score may be at most. Each
    may be None. Where a teacher gives an order alone, a negative must stand below every positive.
    """

    relative: float | None = PERCENT_OF_POSITIVE
    absolute: float | None = None
    highest: float | None = None

    def allows(self, negative: float, positive: float, scale: Scale) -> bool:
        """Tell whether a passage with the score ``negative`` is far enough below ``positive``, the lowest right one.

        >>> Margins().allows(0.9, 0.96, "cosine"), Margins().allows(3.0, 6.0, "logit")
        (True, False)
        """
        if self.highest is not None and negative > self.highest:
            return False
        if self.absolute is not None and negative > positive - self.absolute:
            return False
        if scale in ("rank_only", "log_likelihood", "unknown"):
            return negative < positive
        if self.relative is None:
            return True
        if scale in _LOGARITHMIC:
            negative, positive = _logistic(negative), _logistic(positive)
        return negative < self.relative * positive


def _logistic(score: float) -> float:
    return 1 / (1 + math.exp(-score)) if score > -700 else 0.0


class NegativeFilter:
    """Tells what is no negative, and counts why; ``right`` are keys of all positives of the question."""

    def __init__(self, positives: Sequence[str], right: Collection[int], near: float, rejected: Counter[str]) -> None:
        self._right = {text_key(text) for text in positives} | set(right)
        self._positives = [passage_shingles(text) for text in positives]
        self._taken: set[int] = set()
        self._taken_shingles: list[Shingles] = []
        self._near, self._rejected = near, rejected

    def take(self, text: str) -> None:
        """Remember a negative that is there already."""
        self._taken.add(text_key(text))
        self._taken_shingles.append(passage_shingles(text))

    def is_right(self, text: str) -> bool:
        """Tell whether a passage is a positive of the question, or nearly."""
        if text_key(text) in self._right:
            return self._reject("a positive of the question")
        return self._is_near(passage_shingles(text), self._positives) and self._reject("nearly a positive")

    def is_known(self, text: str) -> bool:
        """Tell whether a passage is there already, or nearly."""
        if text_key(text) in self._taken:
            return self._reject("there already")
        return self._is_near(passage_shingles(text), self._taken_shingles) and self._reject("nearly there already")

    def _reject(self, reason: str) -> bool:
        self._rejected[reason] += 1
        return True

    def _is_near(self, shingles: Shingles, others: Sequence[Shingles]) -> bool:
        return any(
            may_resemble(shingles, other, self._near) and resemblance(shingles, other) >= self._near for other in others
        )
