"""Rerank within a time: the cheap order first, the strong model on as many passages as the time allows.

What the strong model has read stands first, in its order; the rest follows in the cheap order. How many passages fit is
learned from the machine's own speed, before the first question and with every passage after it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from secondpass.errors import InputError
from secondpass.rerank.ordering import check_top_n
from secondpass.rerank.pairs import PairReranker
from secondpass.text.language import estimate_tokens
from secondpass.types import Hit, PassageScore, Reranker

_log = logging.getLogger(__name__)
_SLICE = 0.3
"""Part of the remaining time that one call of the model may take: what is learned from it corrects the next."""
_RESERVE_SECONDS = 0.002
_SAMPLE = (
    "重排模型同时阅读问题和段落，给出相关程度的分数。",
    "A reranker reads the question and the passage together. ",
)
_LEARNING = 0.3


class Pace:
    """Seconds that a model takes: so many a call, and so many a token; learned from calls, the newest counting most.

    Two numbers cannot be told apart by calls of one size, so that a new observation moves both in proportion.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._per_call = 0.0
        self._per_token = 0.0
        self._spread = 0.1

    def learn(self, tokens: int, seconds: float) -> None:
        """Take note of one call."""
        with self._lock:
            expected = self._per_call + self._per_token * tokens
            if not expected:
                self._per_token = seconds / max(tokens, 1)
                return
            ratio = seconds / expected
            self._spread += _LEARNING * (abs(ratio - 1) - self._spread)
            factor = 1 + _LEARNING * (min(max(ratio, 0.25), 4.0) - 1)
            self._per_call *= factor
            self._per_token *= factor

    def calibrate(self, small: tuple[int, float], large: tuple[int, float]) -> None:
        """Begin from two measured calls, each of so many tokens and seconds."""
        with self._lock:
            self._per_token = max((large[1] - small[1]) / (large[0] - small[0]), large[1] / large[0] / 4)
            self._per_call = max(large[1] - self._per_token * large[0], 0.0)

    def seconds(self, tokens: int) -> float:
        """Predict a call's seconds, with room for what predictions were off by lately."""
        with self._lock:
            return (self._per_call + self._per_token * tokens) * (1 + min(self._spread, 1.0))


@dataclass(frozen=True, slots=True)
class BudgetReport:
    """What was done in the time: how many different passages the strong model read, of how many, and the seconds."""

    read: int
    candidates: int
    seconds: float


class BudgetReranker:
    """Return the best order that ``strong`` can give within ``seconds``, beginning from the order of ``cheap``.

    It is done early where everything was read, and keeps the cheap order where not even one passage fits. Safe to share
    between threads, which then share the machine: each keeps its own time.

    Raises:
        InputError: ``seconds`` is not positive.
    """

    def __init__(
        self,
        cheap: Reranker,
        strong: PairReranker,
        seconds: float,
        on_report: Callable[[BudgetReport], None] | None = None,
    ) -> None:
        if not seconds > 0:
            raise InputError(f"The budget is {seconds:g} s; it must be above 0, such as 0.2.")
        self.cheap = cheap
        self.strong = strong
        self.seconds = seconds
        self._on_report = on_report
        self._pace = Pace()
        self._warm_up()

    @property
    def name(self) -> str:
        """The names of the two and the time."""
        return f"{self.cheap.name}>{self.strong.name} in {self.seconds * 1000:g} ms"

    def rerank(self, query: str, hits: Sequence[Hit], top_n: int | None = None) -> list[Hit]:
        """Return the best ``top_n`` of ``hits``: first those the strong model read, then the others."""
        start = time.perf_counter()
        check_top_n(top_n)
        order = self.cheap.rerank(query, hits)
        if not query.strip():
            return order[:top_n]
        scores = self._score_in_time(query, order, start + self.seconds)
        read = [hit for hit in order if hit.chunk.text in scores]
        rest = [hit for hit in order if hit.chunk.text not in scores]
        read.sort(key=lambda hit: -scores[hit.chunk.text].score)
        placed = [self.strong.scored(hit, rank, scores[hit.chunk.text]) for rank, hit in enumerate(read, start=1)]
        candidates = len({hit.chunk.text for hit in order if hit.chunk.text.strip()})
        report = BudgetReport(len(scores), candidates, time.perf_counter() - start)
        behind = f"; the others stand behind them, ordered by {self.cheap.name}" if report.read < candidates else ""
        took = (self.strong.name, report.read, candidates, report.seconds * 1000, behind)
        _log.info("%s read %d of %d passages in %.0f ms%s", *took)
        if self._on_report:
            self._on_report(report)
        return (placed + rest)[:top_n]

    def _score_in_time(self, query: str, order: Sequence[Hit], deadline: float) -> dict[str, PassageScore]:
        """Score the passages of ``order`` from its head until the time is up."""
        waiting = list(dict.fromkeys(hit.chunk.text for hit in order if hit.chunk.text.strip()))
        query_tokens = estimate_tokens(query)
        costs = [query_tokens + estimate_tokens(text) for text in waiting]
        scores: dict[str, PassageScore] = {}
        while len(scores) < len(waiting):
            begin = len(scores)
            now = time.perf_counter()
            end = self._end_of_slice(costs, begin, deadline - now - _RESERVE_SECONDS)
            if end == begin:
                break
            batch = waiting[begin:end]
            scores.update(zip(batch, self.strong.score_texts(query, batch), strict=True))
            self._pace.learn(sum(costs[begin:end]), time.perf_counter() - now)
        return scores

    def _end_of_slice(self, costs: Sequence[int], begin: int, remaining: float) -> int:
        """Return where the next call ends: at its part of the time, after one passage at least, or at none."""
        if self._pace.seconds(costs[begin]) > remaining:
            return begin
        end, tokens = begin, 0
        while end < len(costs):
            tokens += costs[end]
            if end > begin and self._pace.seconds(tokens) > remaining * _SLICE:
                break
            end += 1
        return end

    def _warm_up(self) -> None:
        """Measure a short and a longer call, after one that is not counted: the first loads what the others find."""
        measured = []
        for passages in ([_SAMPLE[0]], [_SAMPLE[1] * 2], [_SAMPLE[0] * (4 + n) + _SAMPLE[1] * 4 for n in range(3)]):
            start = time.perf_counter()
            self.strong.scorer.score("速度 speed", passages)
            tokens = sum(estimate_tokens(passage) + estimate_tokens("速度 speed") for passage in passages)
            measured.append((tokens, time.perf_counter() - start))
        self._pace.calibrate(measured[1], measured[2])
