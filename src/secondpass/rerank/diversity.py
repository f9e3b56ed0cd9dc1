"""Different passages first: each next one is relevant, and unlike those that stand before it.

Maximal marginal relevance: Carbonell and Goldstein, "The Use of MMR, Diversity-Based Reranking for Reordering Documents
and Producing Summaries", SIGIR 1998.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from secondpass.errors import InputError
from secondpass.rerank.ordering import with_score
from secondpass.rerank.post_step import ranked, step_name
from secondpass.rerank.similarity import Similarity, term_similarity
from secondpass.types import Hit, Reranker, StageScore

_STEP = "mmr"
_LOWEST = -1.0
"""No passage with text can get less: relevance is 0 or more, likeness 1 or less."""


class MMRReranker:
    """Take the next passage by ``(1 - diversity) x relevance - diversity x likeness to the nearest one taken``.

    Relevance is the score as a part of the way from the lowest to the highest of the list (the rank, where scores mean
    nothing), so that any scale can be used; the resulting numbers are worth their order only. Passages without text
    come last. ``inner`` None takes the hits with the scores they have.
    """

    def __init__(
        self, inner: Reranker | None = None, diversity: float = 0.3, similarity: Similarity = term_similarity
    ) -> None:
        if not 0 <= diversity <= 1:
            raise InputError(f"The diversity is {diversity}; it must lie between 0 (none) and 1 (nothing else counts).")
        self.inner = inner
        self.diversity = diversity
        self.similarity = similarity

    @property
    def name(self) -> str:
        """``mmr``, behind the name of what it follows."""
        return step_name(self.inner, _STEP)

    def rerank(self, query: str, hits: Sequence[Hit], top_n: int | None = None) -> list[Hit]:
        """Return the first ``top_n`` passages taken; of equals the one that came first is taken."""
        given = ranked(self.inner, query, hits, top_n)
        with_text = [hit for hit in given if hit.chunk.text.strip()]
        without = [hit for hit in given if not hit.chunk.text.strip()]
        taken = [(with_text[index], value) for index, value in self._taken(with_text, top_n)]
        taken += [(hit, _LOWEST) for hit in without]
        return [
            with_score(hit, StageScore(_STEP, rank, value, "rank_only"), hit.evidence)
            for rank, (hit, value) in enumerate(taken[:top_n], start=1)
        ]

    def _taken(self, hits: Sequence[Hit], top_n: int | None) -> list[tuple[int, float]]:
        """Return which hits are taken, in order, each with the value it was taken for; the values never rise."""
        if not hits:
            return []
        row = self.similarity([hit.chunk.text for hit in hits])
        relevance = (1 - self.diversity) * _relevance(hits)
        nearest = np.zeros(len(hits))
        left = np.ones(len(hits), bool)
        taken: list[tuple[int, float]] = []
        for _ in hits[:top_n]:
            values = np.where(left, relevance - self.diversity * nearest, -np.inf)
            best = int(values.argmax())
            taken.append((best, float(values[best])))
            left[best] = False
            nearest = np.maximum(nearest, np.clip(row(best), 0.0, 1.0))
        return taken


def _relevance(hits: Sequence[Hit]) -> npt.NDArray[np.float64]:
    """Return the relevance of ``hits`` in their order, float64 [N], from 0 to 1."""
    scores = np.array([hit.score for hit in hits], np.float64)
    if len({hit.scale for hit in hits}) > 1 or hits[0].scale == "rank_only":
        scores = -np.arange(len(hits), dtype=np.float64)
    spread = float(np.ptp(scores))
    return (scores - scores.min()) / spread if spread > 0 else np.ones(len(hits))
