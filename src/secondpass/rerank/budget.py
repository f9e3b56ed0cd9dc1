"""Rerank within a time: the cheap order first, the strong model on as many passages as the time allows.

What the strong model has read stands first, in its order; the rest follows in the cheap order. How many passages fit is
learned from the machine's own speed: once when a model gets its first budget, and with everything it reads.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from secondpass.errors import InputError
from secondpass.rerank.ordering import check_top_n
from secondpass.rerank.pace import pair_tokens
from secondpass.rerank.pairs import PairReranker
from secondpass.types import Hit, PassageScore, Reranker

_log = logging.getLogger(__name__)
_SLICE = 0.3
"""Part of the remaining time that one call of the model may take: what is learned from it corrects the next."""
_RESERVE_SECONDS = 0.002


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
        strong.measure_pace()

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
        costs = pair_tokens(query, waiting)
        scores: dict[str, PassageScore] = {}
        while len(scores) < len(waiting):
            begin = len(scores)
            end = self._end_of_slice(costs, begin, deadline - time.perf_counter() - _RESERVE_SECONDS)
            if end == begin:
                break
            batch = waiting[begin:end]
            scores.update(zip(batch, self.strong.score_texts(query, batch), strict=True))
        return scores

    def _end_of_slice(self, costs: Sequence[int], begin: int, remaining: float) -> int:
        """Return where the next call ends: at its part of the time, after one passage at least, or at none."""
        if self.strong.pace.seconds(costs[begin]) > remaining:
            return begin
        end, tokens = begin, 0
        while end < len(costs):
            tokens += costs[end]
            if end > begin and self.strong.pace.seconds(tokens) > remaining * _SLICE:
                break
            end += 1
        return end
