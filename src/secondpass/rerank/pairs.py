"""From scores of passages to an order of hits: what every reranker that reads one passage at a time shares.

Equal passages are scored once, passages without text never; what a cache knows is not computed again.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace

from secondpass.rerank.ordering import check_top_n, with_score
from secondpass.rerank.score_cache import ScoreCache
from secondpass.types import Hit, PairScorer, PassageScore, StageScore

_SURROGATE = re.compile("[\ud800-\udfff]")
_LOWEST_UNBOUNDED = -1000.0
"""The score of a passage without text, on scales without a lowest value."""


class PairReranker:
    """Order hits by the scores of a `PairScorer`.

    Passages without text come last. A question without text says nothing about any passage: the given order stays, and
    the scores are ``rank_only``. Where a passage was read in windows, the window that won becomes its evidence.
    """

    def __init__(self, scorer: PairScorer, cache: ScoreCache | None = None) -> None:
        self.scorer = scorer
        self._cache = cache

    @property
    def name(self) -> str:
        """The scorer's name."""
        return self.scorer.name

    def rerank(self, query: str, hits: Sequence[Hit], top_n: int | None = None) -> list[Hit]:
        """Return the best ``top_n`` of ``hits``, best first; ties keep the given order."""
        check_top_n(top_n)
        if not query.strip():
            stages = [StageScore(self.name, rank, 0.0, "rank_only") for rank in range(1, len(hits) + 1)]
            return [with_score(hit, stage, hit.evidence) for hit, stage in zip(hits, stages, strict=True)][:top_n]
        texts = [hit.chunk.text for hit in hits]
        scores = self.score_texts(query, texts)
        order = sorted(range(len(hits)), key=lambda index: (not texts[index].strip(), -scores[index].score))
        return [self.scored(hits[index], rank, scores[index]) for rank, index in enumerate(order[:top_n], start=1)]

    def score_texts(self, query: str, texts: Sequence[str]) -> list[PassageScore]:
        """Score ``texts`` in their order, each different one once."""
        query = _encodable(query)
        distinct = list(dict.fromkeys(_encodable(text) for text in texts if text.strip()))
        known = self._cache.get(self.scorer.fingerprint, query, distinct) if self._cache else {}
        missing = [text for text in distinct if text not in known]
        if missing:
            fresh = dict(zip(missing, self.scorer.score(query, missing), strict=True))
            if self._cache:
                self._cache.put(self.scorer.fingerprint, query, fresh)
            known = known | fresh
        lowest = PassageScore(0.0 if self.scorer.scale == "probability" else _LOWEST_UNBOUNDED)
        return [known[_encodable(text)] if text.strip() else lowest for text in texts]

    def scored(self, hit: Hit, rank: int, score: PassageScore) -> Hit:
        """Return ``hit`` as this reranker places it."""
        stage = StageScore(self.name, rank, score.score, self.scorer.scale)
        probability = _probability(score.score, stage) if self.scorer.gives_probability else None
        placed = with_score(hit, stage, score.span or hit.evidence)
        return replace(placed, probability=probability, truncated=hit.truncated or score.truncated)


def _probability(score: float, stage: StageScore) -> float:
    if stage.scale == "probability":
        return score
    return 1 / (1 + math.exp(-score)) if score > 0 else math.exp(score) / (1 + math.exp(score))


def _encodable(text: str) -> str:
    """Return ``text`` with halves of surrogate pairs replaced, which no tokenizer takes; its length stays."""
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)
