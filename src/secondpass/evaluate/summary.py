"""From outcomes to figures: one pass over a system's questions, of which nothing is kept but numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from secondpass.evaluate.candidates import QuestionList, TaskLists
from secondpass.evaluate.measures import Measure, measure_orders, order_run
from secondpass.evaluate.options import Missing, Ties
from secondpass.evaluate.outcomes import Outcome, Scores
from secondpass.evaluate.records import Cost
from secondpass.evaluate.running import Column
from secondpass.text.language import estimate_tokens

Values = Mapping[str, npt.NDArray[np.float64]]
"""By measure, float64 [Q]: the value of every measured question."""
_QUESTIONS_AT_ONCE = 500


class Meter:
    """Measures orders some hundred at a time, so that a million questions never lie in memory as lists of names.

    ``query_ids``: the questions that count, those without an order too (they get 0).
    """

    def __init__(self, measures: Sequence[Measure], lists: TaskLists, missing: Missing) -> None:
        self.query_ids = lists.query_ids if missing == "zero" else lists.with_candidates
        self._measures, self._qrels = measures, lists.task.qrels
        self._places = {query_id: place for place, query_id in enumerate(self.query_ids)}
        self._values = {str(measure): np.zeros(len(self.query_ids)) for measure in measures}
        self._waiting: dict[str, Sequence[str]] = {}

    def add(self, query_id: str, order: Sequence[str]) -> None:
        """Take the order of one question, best first."""
        self._waiting[query_id] = order
        if len(self._waiting) >= _QUESTIONS_AT_ONCE:
            self._measure()

    def values(self) -> Values:
        """Return the values of all questions."""
        self._measure()
        return self._values

    def _measure(self) -> None:
        qrels = {query_id: self._qrels[query_id] for query_id in self._waiting}
        found = measure_orders(self._measures, self._waiting, qrels) if qrels else {}
        for name, by_query in found.items():
            for query_id, value in by_query.items():
                self._values[name][self._places[query_id]] = value
        self._waiting = {}


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """Probabilities, float64 [P], and whether each pair is relevant, bool [P]."""

    probabilities: npt.NDArray[np.float64]
    relevant: npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Figures:
    """What a pass over one system found."""

    values: Values
    scale: str
    cost: Cost
    movement: tuple[tuple[int, int], ...]
    judged: Judged | None


@dataclass(slots=True)
class _Tally:
    """Sums and lists that grow with every question, by numbers alone."""

    milliseconds: list[float] = field(default_factory=list)
    timed_pairs: int = 0
    pairs: int = 0
    known: int = 0
    truncated: int = 0
    tokens: list[int] = field(default_factory=list)
    movement: list[tuple[int, int]] = field(default_factory=list)
    scales: dict[str, int] = field(default_factory=dict)
    probabilities: list[Scores] = field(default_factory=list)
    relevant: list[npt.NDArray[np.bool_]] = field(default_factory=list)

    def add_cost(self, outcome: Outcome) -> None:
        """Add what a question took; where a score came from the cache, its time says nothing."""
        self.pairs += outcome.pairs
        self.known += outcome.known
        self.truncated += outcome.truncated
        self.scales[outcome.scale] = self.scales.get(outcome.scale, 0) + 1
        if outcome.pairs and not outcome.known and outcome.seconds:
            self.milliseconds.append(outcome.seconds * 1000)
            self.timed_pairs += outcome.pairs

    def cost(self) -> Cost:
        """Return what the system took."""
        times = np.array(self.milliseconds)
        return Cost(
            p50_ms=float(np.percentile(times, 50)) if times.size else None,
            p95_ms=float(np.percentile(times, 95)) if times.size else None,
            pairs_per_second=self.timed_pairs / float(times.sum()) * 1000 if times.size else None,
            pairs=self.pairs,
            known=self.known,
            context_tokens=float(np.mean(self.tokens)) if self.tokens else 0.0,
            truncated=self.truncated,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Measuring:
    """What every pass over a task needs: its measures, the baseline, and how many passages go into a prompt."""

    lists: TaskLists
    measures: Sequence[Measure]
    missing: Missing
    ties: Ties
    top_n: int
    baseline: Column

    def meter(self) -> Meter:
        """Return a new meter."""
        return Meter(self.measures, self.lists, self.missing)


def measure_column(column: Column, measuring: Measuring) -> Figures:
    """Measure one system over all questions of a task."""
    meter, tally = measuring.meter(), _Tally()
    for question in measuring.lists:
        outcome = column.outcome(question)
        doc_ids = order_of(question, outcome, measuring.ties)
        meter.add(question.query_id, doc_ids)
        tally.add_cost(outcome)
        tally.tokens.append(_context_tokens(measuring.lists, doc_ids[: measuring.top_n]))
        before = order_of(question, measuring.baseline.outcome(question), measuring.ties)
        grades = measuring.lists.task.qrels[question.query_id]
        tally.movement += _moved(question, before, doc_ids, grades)
        probabilities = probabilities_of(outcome)
        if probabilities is not None:
            tally.probabilities.append(probabilities)
            kept = (question.candidates[place].doc_id for place in outcome.positions.tolist())
            tally.relevant.append(np.array([grades.get(doc_id, 0) > 0 for doc_id in kept], bool))
    scale = max(tally.scales, key=lambda name: tally.scales[name], default="unknown")
    judged = (
        Judged(np.concatenate(tally.probabilities), np.concatenate(tally.relevant)) if tally.probabilities else None
    )
    return Figures(meter.values(), scale, tally.cost(), tuple(tally.movement), judged)


def measure_orders_of(order: Callable[[QuestionList], Sequence[str]], measuring: Measuring) -> Values:
    """Measure orders that nothing has to be kept of."""
    meter = measuring.meter()
    for question in measuring.lists:
        meter.add(question.query_id, order(question))
    return meter.values()


def best_order(question: QuestionList, grades: Mapping[str, int]) -> list[str]:
    """Return the candidates by their grades, the best order there is; what nobody judged comes last."""
    return sorted(question.doc_ids, key=lambda doc_id: -grades.get(doc_id, -1))


def order_of(question: QuestionList, outcome: Outcome, ties: Ties) -> list[str]:
    """Return a system's order by names; for ``trec`` equal scores (in 32 bits) stand by name, from the last.

    Scores that do not fall from the first to the last are of several stages: their order is kept.
    """
    doc_ids = [question.candidates[place].doc_id for place in outcome.positions.tolist()]
    if ties == "given" or np.any(np.diff(outcome.scores) > 0):
        return doc_ids
    run = {question.query_id: dict(zip(doc_ids, outcome.scores.tolist(), strict=True))}
    return list(order_run(run, "trec").get(question.query_id, []))


def probabilities_of(outcome: Outcome) -> Scores | None:
    """Return the probabilities that a system gives, or those that its log-odds are of; float64 [K]."""
    if outcome.probabilities is not None:
        return outcome.probabilities
    if outcome.scale != "log_odds" or not len(outcome.scores):
        return None
    probabilities: Scores = 1 / (1 + np.exp(-np.clip(outcome.scores, -700, 700)))
    return probabilities


def _context_tokens(lists: TaskLists, doc_ids: Sequence[str]) -> int:
    return sum(estimate_tokens(lists.passages[doc_id].text) for doc_id in doc_ids)


def _moved(
    question: QuestionList, before: Sequence[str], after: Sequence[str], grades: Mapping[str, int]
) -> list[tuple[int, int]]:
    """Return for every relevant candidate its rank before and after; 0 where it was cut."""
    relevant = [doc_id for doc_id in question.doc_ids if grades.get(doc_id, 0) > 0]
    ranks = [{doc_id: rank for rank, doc_id in enumerate(order, start=1)} for order in (before, after)]
    return [(ranks[0].get(doc_id, 0), ranks[1].get(doc_id, 0)) for doc_id in relevant]
