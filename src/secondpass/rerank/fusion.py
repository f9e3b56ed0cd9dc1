"""A reranker made of rerankers side by side: each orders the same candidates, and their orders become one.

Reciprocal ranks: Cormack, Clarke and Büttcher, "Reciprocal Rank Fusion outperforms Condorcet and individual rank
learning methods", SIGIR 2009. Borda counts: Aslam and Montague, "Models for Metasearch", SIGIR 2001. Z-scores: Montague
and Aslam, "Relevance Score Normalization for Metasearch", CIKM 2001.
"""

from __future__ import annotations

import math
from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from secondpass.errors import InputError
from secondpass.rerank.ordering import check_top_n, order_by_score
from secondpass.types import Hit, Reranker, Scale

Method = Literal["rrf", "borda", "zscore"]
METHODS: tuple[Method, ...] = ("rrf", "borda", "zscore")
RRF_CONSTANT = 60
_Points = npt.NDArray[np.float64]


class FusionReranker:
    """Fuse the orders (``rrf``, ``borda``) or the scores (``zscore``) of several rerankers.

    Equal scores of one reranker share a rank. A reranker that cuts is asked for all; what it leaves out even so gets
    no reciprocal rank, its share of the Borda points that are left, or the reranker's lowest z-score.
    """

    def __init__(
        self,
        rerankers: Sequence[Reranker],
        method: Method = "rrf",
        weights: Sequence[float] | None = None,
        k: float = RRF_CONSTANT,
    ) -> None:
        self.rerankers = tuple(rerankers)
        self.method = method
        self.weights = tuple(weights) if weights is not None else (1.0,) * len(self.rerankers)
        self.k = k
        if method not in METHODS:
            raise InputError(f"There is no fusion named {method!r}; known are: {', '.join(METHODS)}.")
        if len(self.weights) != len(self.rerankers) or not self.rerankers:
            raise InputError(f"There are {len(self.rerankers)} rerankers to fuse and {len(self.weights)} weights.")
        if not all(math.isfinite(weight) and weight >= 0 for weight in self.weights) or sum(self.weights) <= 0:
            raise InputError(f"The weights are {self.weights}; they must be 0 or more, and not all 0.")
        if not k >= 0:
            raise InputError(f"The constant k is {k}; it must be 0 or more.")

    @property
    def name(self) -> str:
        """``fuse:``, the method where it is not ``rrf``, and the rerankers with their weights where they are not 1."""
        named = zip(self.rerankers, self.weights, strict=True)
        parts = (f"{reranker.name}*{weight:g}" if weight != 1 else reranker.name for reranker, weight in named)
        return "fuse:" + ("" if self.method == "rrf" else f"{self.method}:") + "+".join(parts)

    @property
    def scale(self) -> Scale:
        """``rrf``; the other methods' numbers depend on the list they come from, so that only their order counts."""
        return "rrf" if self.method == "rrf" else "rank_only"

    def rerank(self, query: str, hits: Sequence[Hit], top_n: int | None = None) -> list[Hit]:
        """Return the best ``top_n`` of the fused order; equals keep the given order."""
        check_top_n(top_n)
        seen = list(hits)
        totals: _Points = np.zeros(len(hits))
        for reranker, weight in zip(self.rerankers, self.weights, strict=True):
            if weight == 0 or not hits:
                continue
            placed = self._placed(hits, reranker.rerank(query, hits), reranker.name)
            totals += weight * self._points(placed, reranker.name, len(hits))
            for index, hit in placed.items():
                seen[index] = _joined(seen[index], hits[index], hit)
        # Sums of the same ranks in another order differ in their last bits; float32 makes them equal again.
        return order_by_score(seen, totals.astype(np.float32), self.name, self.scale, top_n)

    def _points(self, placed: dict[int, Hit], name: str, count: int) -> _Points:
        """Return what one reranker gives to each of ``count`` passages, float64 [N]; ``placed`` is in its order."""
        order = list(placed)
        if self.method == "zscore":
            return _z_scores(placed, name, count)
        ranks = _shared_ranks([placed[index] for index in order])
        if self.method == "rrf":
            points = np.zeros(count)
            points[order] = 1 / (self.k + ranks)
            return points
        points = np.full(count, (count - len(order) + 1) / 2)
        points[order] = count + 1 - ranks
        return points

    def _placed(self, hits: Sequence[Hit], result: Sequence[Hit], name: str) -> dict[int, Hit]:
        """Return which of ``hits`` each of ``result`` is, in the order of ``result``."""
        places: defaultdict[str, deque[int]] = defaultdict(deque)
        for index, hit in enumerate(hits):
            places[hit.chunk.id].append(index)
        placed: dict[int, Hit] = {}
        for hit in result:
            if not places[hit.chunk.id]:
                raise InputError(f"{name} returned the passage {hit.chunk.id!r}, which it was not given (so often).")
            placed[places[hit.chunk.id].popleft()] = hit
        return placed


def _shared_ranks(ordered: Sequence[Hit]) -> _Points:
    """Return ranks from 1, float64 [N]; neighbours with one score share the better rank, unless only order counts."""
    ranks: list[int] = []
    for place, hit in enumerate(ordered):
        same = place and hit.scale != "rank_only" and hit.score == ordered[place - 1].score
        ranks.append(ranks[-1] if same else place + 1)
    return np.array(ranks, np.float64)


def _z_scores(placed: dict[int, Hit], name: str, count: int) -> _Points:
    """Return ``(score - mean) / deviation``, float64 [N]; 0 where all scores are equal.

    A passage without text has a made-up score, which would swallow the differences between the others: it is not
    counted, and lies one deviation below them.
    """
    order = list(placed)
    scores = np.array([placed[index].score for index in order], np.float64)
    if not order or np.ptp(scores) == 0:
        return np.zeros(count)
    if any(hit.scale == "rank_only" for hit in placed.values()):
        raise InputError(f"{name} gives an order without scores; fuse it by rrf or borda instead of zscore.")
    with_text = np.array([bool(placed[index].chunk.text.strip()) for index in order], bool)
    counted = scores[with_text]
    values = np.zeros(len(order))
    if counted.size and counted.std() > 1e-12 * max(1.0, float(np.abs(counted).max())):
        values = (scores - counted.mean()) / counted.std()
    lowest = float(values[with_text].min()) if counted.size else 0.0
    points = np.full(count, lowest)
    points[order] = np.where(with_text, values, lowest - 1.0)
    return points


def _joined(known: Hit, given: Hit, placed: Hit) -> Hit:
    """Return ``known`` with what one reranker found out about it."""
    pointing = known if known.evidence != given.evidence else placed
    return replace(
        known,
        stages=known.stages + placed.stages[len(given.stages) :],
        evidence=pointing.evidence,
        evidence_confidence=pointing.evidence_confidence,
        truncated=known.truncated or placed.truncated,
    )
