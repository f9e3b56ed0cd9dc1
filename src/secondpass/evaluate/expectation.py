"""What a random order of the candidates is worth: the exact mean of a measure over all orders, not a simulation."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from secondpass.evaluate.candidates import QuestionList
from secondpass.evaluate.measures import Measure, measure_orders
from secondpass.evaluate.summary import Measuring, Values

_NAME = re.compile(r"(?P<name>[A-Za-z_]+)(?:@(?P<cutoff>\d+))?")
_SHUFFLES = 200
_SEED = 13


@dataclass(frozen=True, slots=True)
class _List:
    """The grades of a list's judged candidates, how many candidates there are, and all grades of the question."""

    listed: tuple[int, ...]
    candidates: int
    grades: tuple[int, ...]

    @property
    def relevant(self) -> int:
        return sum(grade > 0 for grade in self.listed)

    @property
    def all_relevant(self) -> int:
        return sum(grade > 0 for grade in self.grades)

    def depth(self, cutoff: int | None) -> int:
        """Return how many of the first ``cutoff`` places are filled."""
        return min(cutoff or self.candidates, self.candidates)


def expected_values(measuring: Measuring) -> Values:
    """Return for every measured question the mean of every measure over all orders, float64 [Q] each."""
    query_ids = measuring.meter().query_ids
    lists, qrels = measuring.lists, measuring.lists.task.qrels
    values = {str(measure): np.zeros(len(query_ids)) for measure in measuring.measures}
    for place, query_id in enumerate(query_ids):
        question = lists.question(query_id)
        for measure in measuring.measures:
            values[str(measure)][place] = expected_value(measure, question, qrels[query_id])
    return values


def expected_value(measure: Measure, question: QuestionList, grades: Mapping[str, int]) -> float:
    """Return the mean of ``measure`` over all orders of a question's candidates.

    A measure without a closed form is the mean of 200 orders drawn from a fixed seed.
    """
    if not question.candidates:
        return 0.0
    found = _NAME.fullmatch(str(measure))
    closed = _CLOSED.get(found["name"]) if found else None
    if found is None or closed is None:
        return _mean_of_shuffles(measure, question, grades)
    listed = tuple(grades[doc_id] for doc_id in question.doc_ids if doc_id in grades)
    every = _List(listed, len(question.candidates), tuple(grades.values()))
    return closed(every, int(found["cutoff"]) if found["cutoff"] else None)


def _mean_of_shuffles(measure: Measure, question: QuestionList, grades: Mapping[str, int]) -> float:
    generator = np.random.default_rng(_SEED)
    doc_ids = question.doc_ids
    orders = {str(draw): [doc_ids[place] for place in generator.permutation(len(doc_ids))] for draw in range(_SHUFFLES)}
    found = measure_orders([measure], orders, {draw: dict(grades) for draw in orders})[str(measure)]
    return float(np.mean(list(found.values())))


def _ndcg(every: _List, cutoff: int | None, gain: Callable[[int], float] = float) -> float:
    """Return the mean gain of a place, times the discounts of the filled places, over the ideal.

    Jarvelin and Kekalainen, "Cumulated gain-based evaluation of IR techniques", TOIS 2002.
    """
    ideal = _discounted(sorted((gain(grade) for grade in every.grades if grade > 0), reverse=True)[:cutoff])
    if not ideal:
        return 0.0
    mean = sum(gain(grade) for grade in every.listed if grade > 0) / every.candidates
    return mean * _discounted([1.0] * every.depth(cutoff)) / ideal


def _burges(every: _List, cutoff: int | None) -> float:
    return _ndcg(every, cutoff, lambda grade: 2.0**grade - 1)


def _discounted(gains: Sequence[float]) -> float:
    return sum(gain / math.log2(place + 1) for place, gain in enumerate(gains, start=1))


def _average_precision(every: _List, cutoff: int | None) -> float:
    """Return the sum over places i of P(relevant at i) times the mean precision there.

    With R relevant of n candidates: R/n times (1 + (i - 1)(R - 1)/(n - 1)) / i.
    """
    relevant, count = every.relevant, every.candidates
    if not relevant:
        return 0.0
    before = (relevant - 1) / (count - 1) if count > 1 else 0.0
    places = range(1, every.depth(cutoff) + 1)
    return relevant / count * sum((1 + (place - 1) * before) / place for place in places) / every.all_relevant


def _reciprocal_rank(every: _List, cutoff: int | None) -> float:
    """Return the sum over places of P(the first relevant one stands there) / place."""
    none_before, total = 1.0, 0.0
    for place in range(1, every.depth(cutoff) + 1):
        here = min(every.relevant / (every.candidates - place + 1), 1.0)
        total += none_before * here / place
        none_before *= 1 - here
    return total


def _hit(every: _List, cutoff: int | None) -> float:
    none = 1.0
    for place in range(every.depth(cutoff)):
        none *= max(1 - every.relevant / (every.candidates - place), 0.0)
    return 1 - none


def _recall(every: _List, cutoff: int | None) -> float:
    if not every.all_relevant:
        return 0.0
    return every.depth(cutoff) * every.relevant / every.candidates / every.all_relevant


def _precision(every: _List, cutoff: int | None) -> float:
    return every.depth(cutoff) * every.relevant / every.candidates / (cutoff or every.candidates)


def _judged(every: _List, cutoff: int | None) -> float:  # noqa: ARG001
    return len(every.listed) / every.candidates


_CLOSED: dict[str, Callable[[_List, int | None], float]] = {
    "nDCG": _ndcg,
    "nDCG_burges": _burges,
    "MAP": _average_precision,
    "MRR": _reciprocal_rank,
    "Recall": _recall,
    "P": _precision,
    "hit": _hit,
    "Judged": _judged,
}
