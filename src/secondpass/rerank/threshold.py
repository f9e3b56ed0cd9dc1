"""Cut what scores too low, on a scale that is named: 0.5 means one thing as a probability and another as a logit."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

from secondpass.errors import InputError
from secondpass.rerank.ordering import check_top_n
from secondpass.types import Hit, Reranker, Scale

_log = logging.getLogger(__name__)
_EXAMPLE = "probability=0.5 or logit=-2"
_NOT_A_MEASURE = ("rank_only", "unknown")


@dataclass(frozen=True, slots=True)
class MinScore:
    """The lowest score to keep, on ``scale``."""

    value: float
    scale: Scale

    @classmethod
    def parse(cls, text: str) -> MinScore:
        """Read ``probability=0.5``.

        >>> MinScore.parse("logit=-2")
        MinScore(value=-2.0, scale='logit')
        """
        scales = [scale for scale in get_args(Scale) if scale not in _NOT_A_MEASURE]
        name, _, number = text.partition("=")
        try:
            value = float(number)
        except ValueError:
            value = math.nan
        for scale in scales:
            if scale == name.strip() and math.isfinite(value):
                return cls(value, scale)
        raise InputError(
            f"The lowest score to keep is {text!r}; write a scale and a number, such as {_EXAMPLE} "
            f"(scales: {', '.join(scales)})."
        )

    def __str__(self) -> str:
        return f"{self.scale}={self.value:g}"


class ThresholdReranker:
    """Rerank by ``inner``, then drop what lies below a score.

    ``judge`` is the stage whose scores count, where ``inner`` may leave passages without one, as a budget does: those
    are dropped too, since nothing says that they are good enough. A blank question judges nothing: what ``inner`` gives
    comes back whole.

    Raises:
        InputError: the scores of ``inner`` are not on the scale of ``min_score``.
    """

    def __init__(self, inner: Reranker, min_score: MinScore, judge: str | None = None) -> None:
        self.inner = inner
        self.min_score = min_score
        self._judge = judge

    @property
    def name(self) -> str:
        """The name of what reranks, and the threshold."""
        return f"{self.inner.name}>={self.min_score}"

    def rerank(self, query: str, hits: Sequence[Hit], top_n: int | None = None) -> list[Hit]:
        """Return the best ``top_n`` of those that score high enough, maybe none."""
        check_top_n(top_n)
        ranked = self.inner.rerank(query, hits, top_n)
        if not query.strip():
            _log.info("the question is blank, so that nothing is judged; the given order stays and nothing is dropped")
            return ranked
        judged = [hit for hit in ranked if self._judge is None or hit.stages[-1].stage == self._judge]
        if len(judged) < len(ranked):
            unread = len(ranked) - len(judged)
            _log.info("%d passages were not read in the time and are left out: no score says they are enough", unread)
        return [hit for hit in judged if self._value(hit) >= self.min_score.value]

    def _value(self, hit: Hit) -> float:
        if self.min_score.scale == "probability" and hit.probability is not None:
            return hit.probability
        if hit.scale != self.min_score.scale:
            raise InputError(
                f"{self.inner.name} gives scores on the scale {hit.scale}, to which a lowest score of {self.min_score} "
                f"says nothing; {_advice(hit)}."
            )
        return hit.score


def _advice(hit: Hit) -> str:
    """Return what to do where a lowest score is on another scale than the score of ``hit``."""
    accepted = [] if hit.scale in _NOT_A_MEASURE else [f"{hit.scale}=NUMBER"]
    accepted += [] if hit.probability is None else ["probability=NUMBER"]
    if accepted:
        return f"give it as {' or '.join(accepted)}"
    return "only their order counts, so leave the lowest score out or name a reranker that gives scores"
