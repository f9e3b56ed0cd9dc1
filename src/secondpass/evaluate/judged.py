"""Where the judged passages stand: runs and orders joined with judgements, as flat arrays.

Every measure is a sum over the judged passages of each question, so nothing else is kept. A question's passages lie
side by side in one long array (N for all questions together); sorting is done at once for all questions with equally
long lists.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from secondpass.errors import InputError
from secondpass.types import Qrels, Run

Ties = Literal["trec", "given"]
Missing = Literal["zero", "omit"]
Positions: TypeAlias = npt.NDArray[np.int64]
Values: TypeAlias = npt.NDArray[np.float64]

_UNJUDGED = int(np.iinfo(np.int64).min)


@dataclass(frozen=True, slots=True, eq=False)
class RelevantPassages:
    """Passages with a grade above 0: int64 [J] each, by question and, within it, by rank (counted from 1)."""

    query: Positions
    rank: Positions
    grade: Positions

    def first(self, cutoff: int | None) -> RelevantPassages:
        """Return those among the first ``cutoff`` of their question (None: all)."""
        if cutoff is None or cutoff >= self.rank.max(initial=0):
            return self
        keep = self.rank <= cutoff
        return RelevantPassages(self.query[keep], self.rank[keep], self.grade[keep])


@dataclass(frozen=True, slots=True, eq=False)
class JudgedOrders:
    """Orders as far as measures need them.

    ``retrieved``, int64 [Q], counts the passages of each question's order; ``judged``, bool [N], says which of them
    have a judgement, question after question. ``found`` are the relevant ones among them, ``ideal`` those of the
    judgements, retrieved or not, the best first.
    """

    query_ids: tuple[str, ...]
    retrieved: Positions
    judged: npt.NDArray[np.bool_]
    found: RelevantPassages
    ideal: RelevantPassages


def judge_orders(orders: Mapping[str, Sequence[str]], qrels: Qrels, missing: Missing) -> JudgedOrders:
    """Join orders, best first, with the judgements of their questions.

    Raises:
        InputError: a passage stands twice in an order.
    """
    query_ids = _measured(orders, qrels, missing)
    lists = [orders.get(query_id, ()) for query_id in query_ids]
    for query_id, order in zip(query_ids, lists, strict=True):
        if len(set(order)) != len(order):
            twice = next(doc_id for place, doc_id in enumerate(order) if doc_id in order[:place])
            raise InputError(f"Passage {twice!r} stands twice in the order of query {query_id!r}; it may stand once.")
    retrieved = _lengths(lists)
    return _joined(query_ids, qrels, retrieved, _grades(query_ids, qrels, lists, int(retrieved.sum())))


def judge_run(run: Run, qrels: Qrels, ties: Ties, missing: Missing) -> JudgedOrders:
    """Join a run with the judgements of its questions, in the order of `sort_run`."""
    query_ids = _measured(run, qrels, missing)
    lists: list[dict[str, float]] = [run.get(query_id, {}) for query_id in query_ids]
    retrieved = _lengths(lists)
    grades = _grades(query_ids, qrels, lists, int(retrieved.sum()))
    return _joined(query_ids, qrels, retrieved, grades[sort_run(lists, retrieved, ties)])


def _measured(given: Mapping[str, object], qrels: Qrels, missing: Missing) -> tuple[str, ...]:
    if missing == "zero":
        return tuple(qrels)
    return tuple(query_id for query_id, judged in qrels.items() if judged and query_id in given)


def _lengths(lists: Sequence[Mapping[str, float] | Sequence[str]]) -> Positions:
    return np.fromiter(map(len, lists), np.int64, len(lists))


def _grades(query_ids: Sequence[str], qrels: Qrels, lists: Sequence[Iterable[str]], count: int) -> Positions:
    """Return the grade of every passage, int64 [N], `_UNJUDGED` where it has none."""
    unjudged = repeat(_UNJUDGED)
    of_lists = (map(qrels[query_id].get, ids, unjudged) for query_id, ids in zip(query_ids, lists, strict=True))
    return np.fromiter(chain.from_iterable(of_lists), np.int64, count)


def _joined(query_ids: tuple[str, ...], qrels: Qrels, retrieved: Positions, grades: Positions) -> JudgedOrders:
    places = np.flatnonzero(grades > 0)
    query = np.repeat(np.arange(len(query_ids)), retrieved)[places]
    starts = np.cumsum(retrieved) - retrieved
    found = RelevantPassages(query, places - starts[query] + 1, grades[places])
    ideal = _ideal([qrels[query_id] for query_id in query_ids])
    return JudgedOrders(query_ids, retrieved, grades != _UNJUDGED, found, ideal)


def _ideal(judgements: Sequence[Mapping[str, int]]) -> RelevantPassages:
    counts = _lengths(judgements)
    grades = np.fromiter(chain.from_iterable(judged.values() for judged in judgements), np.int64, int(counts.sum()))
    places = np.flatnonzero(grades > 0)
    query, grades = np.repeat(np.arange(len(judgements)), counts)[places], grades[places]
    levels = int(grades.max(initial=0)) + 1
    # One number holds question and grade, so that a plain sort of numbers, the fastest there is, orders by both.
    query, below = np.divmod(np.sort(query * levels + (levels - 1 - grades)), levels)
    return RelevantPassages(query, rank_within(query), levels - 1 - below)


def rank_within(query: Positions) -> Positions:
    """Count from 1 within each run of equal numbers, int64 [J]."""
    first = np.flatnonzero(np.diff(query, prepend=-1))
    lengths = np.diff(first, append=len(query))
    return np.arange(len(query)) - np.repeat(first, lengths) + 1


def sort_run(lists: Sequence[Mapping[str, float]], lengths: Positions, ties: Ties) -> Positions:
    """Return the places of all passages, int64 [N], best first within each list.

    ``given`` compares the scores as they are and keeps the order of equal ones. ``trec`` compares them as float32 and
    puts the last name first among equals, as trec_eval does.

    Raises:
        InputError: a score is not a number.
    """
    values = chain.from_iterable(passages.values() for passages in lists)
    scores = np.fromiter(values, np.float64, int(lengths.sum()))
    starts = np.cumsum(lengths) - lengths
    if np.isnan(scores).any():
        _refuse_nan(lists)
    if ties == "trec":
        with np.errstate(over="ignore"):
            scores = scores.astype(np.float32)
    places = np.arange(len(scores))
    for length in np.unique(lengths[lengths > 1]).tolist():
        rows = np.flatnonzero(lengths == length)
        block = starts[rows][:, np.newaxis] + np.arange(length)
        order = np.argsort(-scores[block], axis=1, kind="stable")
        sorted_places = np.take_along_axis(block, order, axis=1)
        if ties == "trec":
            equal = scores[sorted_places[:, 1:]] == scores[sorted_places[:, :-1]]
            for row in np.flatnonzero(equal.any(axis=1)).tolist():
                sorted_places[row] = starts[rows[row]] + _by_name(list(lists[rows[row]]), scores[block[row]])
        places[block] = sorted_places
    return places


def _by_name(doc_ids: Sequence[str], scores: npt.NDArray[np.floating]) -> Positions:
    """Return the places of one list by score, and by name from the last where scores are equal."""
    by_name = np.array(sorted(range(len(doc_ids)), key=doc_ids.__getitem__, reverse=True))
    order: Positions = by_name[np.argsort(-scores[by_name], kind="stable")]
    return order


def _refuse_nan(lists: Sequence[Mapping[str, float]]) -> None:
    for passages in lists:
        for doc_id, score in passages.items():
            if math.isnan(score):
                raise InputError(f"The score of passage {doc_id!r} is not a number; a run has a finite one for each.")
