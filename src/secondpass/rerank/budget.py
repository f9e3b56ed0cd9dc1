"""Rerank within a time: the cheap order first, the strong model on as many passages as the time allows.

What the strong model has read stands first, in its order; the rest follows in the cheap order. A list too long for the
cheap stage is read by it as far as its part of the time goes, and the others keep the given order behind. How many
passages fit is learned from the machine's own speed: once when a model gets its first budget, and with everything it
reads.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from secondpass.errors import InputError
from secondpass.rerank.cascade import CascadeReranker, Stage
from secondpass.rerank.in_time import StageReading, is_blank, place_read, rerank_in_time, score_in_time
from secondpass.rerank.ordering import check_top_n
from secondpass.rerank.pace import pair_tokens
from secondpass.rerank.pairs import PairReranker
from secondpass.types import Hit, Reranker

_log = logging.getLogger(__name__)
_CHEAP_SHARE = 2 / 3
"""Part of the time that the cheap stages may take together."""
_LEAST_CHEAP_SHARE = 1 / 3
"""What must be left to them where the strong model needs more than the rest to read anything at all."""
_RESERVE_SECONDS = 0.002
_RESERVE_SECONDS_PER_HIT = 1e-6
"""What is kept for making the order once everything is read."""


@dataclass(frozen=True, slots=True)
class BudgetReport:
    """What was done in the time.

    ``read``: different passages that the strong model read, of ``candidates``. ``seconds``: what all took together.
    ``cheap``: how many hits each cheap stage read, of those it was given.
    """

    read: int
    candidates: int
    seconds: float
    cheap: tuple[StageReading, ...] = ()


class BudgetReranker:
    """Return the best order that ``strong`` can give within ``seconds``, beginning from the order of ``cheap``.

    It is done early where everything was read, and keeps the cheap order where not even one passage fits. Cheap stages
    that read one passage after the other (`secondpass.rerank.in_time`) get two thirds of the time at most, or all of it
    where ``strong`` could not read one passage in what is left; others take the time they take. Ties of ``strong`` and
    a blank question keep the given order. Safe to share between threads, which then share the machine: each keeps its
    own time.

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
        self._stages = cheap.stages if isinstance(cheap, CascadeReranker) else (Stage(cheap),)
        self._on_report = on_report
        for reader in (*(stage.reranker for stage in self._stages), strong):
            if isinstance(reader, PairReranker):
                reader.measure_pace()

    @property
    def name(self) -> str:
        """The names of the two and the time."""
        return f"{self.cheap.name}>{self.strong.name} in {self.seconds * 1000:g} ms"

    def rerank(self, query: str, hits: Sequence[Hit], top_n: int | None = None) -> list[Hit]:
        """Return the best ``top_n`` of ``hits``: first those the strong model read, then the others."""
        start = time.perf_counter()
        check_top_n(top_n)
        if not query.strip():
            return self.strong.rerank(query, self.cheap.rerank(query, hits), top_n)
        reserve = _RESERVE_SECONDS + _RESERVE_SECONDS_PER_HIT * len(hits)
        seconds = max(self.seconds - reserve, 0.0)
        order, cheap = self._cheap_order(query, hits, start, self._cheap_seconds(query, hits, seconds))
        scores = score_in_time(self.strong, query, order, start + seconds)
        placed = place_read(self.strong, query, order, scores, hits)[:top_n]
        candidates = len({hit.chunk.text for hit in order if not is_blank(hit)})
        report = BudgetReport(len(scores), candidates, time.perf_counter() - start, cheap)
        took = (self.strong.name, report.read, candidates, report.seconds * 1000, self._behind(report))
        _log.info("%s read %d of %d passages in %.0f ms%s", *took)
        if self._on_report:
            self._on_report(report)
        return placed

    def _cheap_seconds(self, query: str, hits: Sequence[Hit], seconds: float) -> float:
        """Return what the cheap stages may take of ``seconds``: all, where the strong model could not use the rest."""
        first = hits[0].chunk.text if hits else ""
        one = self.strong.pace.seconds(pair_tokens(query, [first])[0])
        if one <= seconds * (1 - _CHEAP_SHARE):
            return seconds * _CHEAP_SHARE
        return seconds - one if seconds - one >= seconds * _LEAST_CHEAP_SHARE else seconds

    def _cheap_order(
        self, query: str, hits: Sequence[Hit], start: float, seconds: float
    ) -> tuple[list[Hit], tuple[StageReading, ...]]:
        """Pass ``hits`` through the cheap stages, each with its part of ``seconds``."""
        order, readings = list(hits), []
        for number, stage in enumerate(self._stages, start=1):
            deadline = start + seconds * number / len(self._stages)
            order, reading = rerank_in_time(stage.reranker, query, order, deadline)
            order = order[: stage.top_n]
            readings.append(reading)
        return order, tuple(readings)

    def _behind(self, report: BudgetReport) -> str:
        """Return what a note says of the passages that the strong model did not read; nothing where it read all."""
        if report.read == report.candidates:
            return ""
        said = f"; the others stand behind them, ordered by {self.cheap.name}"
        for stage in report.cheap:
            if stage.read < stage.given:
                said += f", where {stage.name} had time for {stage.read} of {stage.given}: the rest as it was given"
        return said
