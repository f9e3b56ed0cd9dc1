"""A reranker as a teacher: its scores of any passages for a question, in their order."""

from __future__ import annotations

from collections.abc import Sequence

from secondpass.types import Chunk, Hit, Reranker, Scale


class Teacher:
    """Scores passages by ``reranker``; ``scale`` is what the scores mean, known after the first.

    A reranker that gives an order alone (``rank_only``, such as a chat model that ranks a list) gives each passage the
    number of passages below it: its ranks, as scores (RankGPT's distillation, arXiv:2304.09542).
    """

    def __init__(self, reranker: Reranker) -> None:
        self._reranker = reranker
        self.scale: Scale = "unknown"

    @property
    def name(self) -> str:
        """The reranker's name."""
        return self._reranker.name

    def score(self, query: str, texts: Sequence[str]) -> list[float]:
        """Return a score for each of ``texts``, higher = more relevant; equal texts get one score."""
        distinct = list(dict.fromkeys(texts))
        hits = [Hit(Chunk(str(place), text, end=len(text)), 0.0, "unknown") for place, text in enumerate(distinct)]
        ranked = self._reranker.rerank(query, hits)
        if ranked:
            self.scale = ranked[0].scale
        scores = {int(hit.chunk.id): hit.score for hit in ranked}
        if self.scale == "rank_only":
            scores = {int(hit.chunk.id): float(len(ranked) - rank) for rank, hit in enumerate(ranked, start=1)}
        place_of = {text: place for place, text in enumerate(distinct)}
        lowest = min(scores.values(), default=0.0)
        return [scores.get(place_of[text], lowest) for text in texts]
