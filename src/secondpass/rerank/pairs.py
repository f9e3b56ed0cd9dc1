"""From scores of passages to an order of hits: what every reranker that reads one passage at a time shares.

Equal passages are scored once, passages without text never; what a cache knows is not computed again.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from secondpass.rerank.ordering import check_top_n, with_score
from secondpass.rerank.pace import Pace, pair_tokens
from secondpass.rerank.score_cache import ScoreCache
from secondpass.text.surrogates import encodable
from secondpass.types import Hit, PairScorer, PassageScore, Scale, StageScore

_log = logging.getLogger(__name__)
_SECONDS_BETWEEN_NOTES = 5.0
_LOWEST_UNBOUNDED = -1000.0
"""The score of a passage without text, on scales without a lowest value."""


@dataclass(frozen=True, slots=True)
class ReadingCounts:
    """What a reranker has read since it was opened: different passages of each question, and how.

    ``known``: their scores were in the cache. ``in_windows``: they were longer than the model reads at once.
    ``truncated``: a part of them, or of the question, was not read.
    """

    passages: int = 0
    known: int = 0
    in_windows: int = 0
    truncated: int = 0


class PairReranker:
    """Order hits by the scores of a `PairScorer`.

    Passages without text come last. A question without text says nothing about any passage: the given order stays, and
    the scores are ``rank_only``. What the scorer points at becomes a passage's evidence; where it points at nothing and
    read windows, the window that won.

    The scorer gets ``passages_at_once`` (None: all), and their scores are kept before it gets the next: what interrupts
    a long list loses little of it.
    """

    def __init__(
        self, scorer: PairScorer, cache: ScoreCache | None = None, passages_at_once: int | None = None
    ) -> None:
        self.scorer = scorer
        self.counts = ReadingCounts()
        self.pace = Pace()
        self._cache = cache
        self._passages_at_once = passages_at_once
        self._lock = threading.Lock()

    @property
    def has_cache(self) -> bool:
        """Whether known scores are looked up."""
        return self._cache is not None

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
        query = encodable(query)
        distinct = list(dict.fromkeys(encodable(text) for text in texts if text.strip()))
        known = self._cache.get(self.scorer.fingerprint, query, distinct) if self._cache else {}
        missing = [text for text in distinct if text not in known]
        scores = known | self._computed(query, missing)
        self._count(scores.values(), len(known))
        lowest = PassageScore(0.0 if self.scorer.scale == "probability" else _LOWEST_UNBOUNDED)
        return [scores[encodable(text)] if text.strip() else lowest for text in texts]

    def _computed(self, query: str, texts: Sequence[str]) -> dict[str, PassageScore]:
        """Have ``texts`` scored, and keep what is done after every part; say how far it is where it takes long."""
        scores: dict[str, PassageScore] = {}
        started = said = time.monotonic()
        at_once = self._passages_at_once or max(len(texts), 1)
        for first in range(0, len(texts), at_once):
            part = texts[first : first + at_once]
            fresh = dict(zip(part, self._score(query, part), strict=True))
            if self._cache:
                self._cache.put(self.scorer.fingerprint, query, fresh)
            scores |= fresh
            now = time.monotonic()
            if now - said > _SECONDS_BETWEEN_NOTES and len(scores) < len(texts):
                said = now
                left = (now - started) / len(scores) * (len(texts) - len(scores))
                _log.info("%s: %d of %d passages read, about %.0f s left", self.name, len(scores), len(texts), left)
        return scores

    def _score(self, query: str, texts: Sequence[str]) -> list[PassageScore]:
        """Have ``texts`` scored; where the pace matters, learn from how long it took."""
        if not self.pace.is_known:
            return self.scorer.score(query, texts)
        start = time.perf_counter()
        scores = self.scorer.score(query, texts)
        self.pace.learn(sum(pair_tokens(query, texts)), time.perf_counter() - start)
        return scores

    def measure_pace(self) -> None:
        """Learn how long the scorer takes, once, for whoever has a budget."""
        self.pace.measure(self.scorer)

    def _count(self, scores: Iterable[PassageScore], known: int) -> None:
        read = list(scores)
        with self._lock:
            before = self.counts
            self.counts = ReadingCounts(
                before.passages + len(read),
                before.known + known,
                before.in_windows + sum(score.windows > 1 for score in read),
                before.truncated + sum(score.truncated for score in read),
            )

    def scored(self, hit: Hit, rank: int, score: PassageScore) -> Hit:
        """Return ``hit`` as this reranker places it."""
        stage = StageScore(self.name, rank, score.score, self.scorer.scale)
        probability = _probability(score.score, stage.scale) if self.scorer.gives_probability else None
        placed = with_score(hit, stage, score.span or hit.evidence)
        confidence = placed.evidence_confidence if score.span is None else score.evidence_confidence
        truncated = hit.truncated or score.truncated
        return replace(placed, probability=probability, truncated=truncated, evidence_confidence=confidence)


def _probability(score: float, scale: Scale) -> float:
    if scale == "probability":
        return score
    return 1 / (1 + math.exp(-score)) if score > 0 else math.exp(score) / (1 + math.exp(score))
