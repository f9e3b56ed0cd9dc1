"""Measures of an order against judgements, equal to those of trec_eval, ir-measures and ranx.

The tools of the field agree on formulas and differ on what lies around them; what is done here stands in `CONVENTIONS`,
in sentences for reports. The cases: trec_eval leaves out a query that the run lacks, ir-measures and ``trec_eval -c``
count 0, ranx refuses; trec_eval reads scores as float32 and orders equal ones by name from the last, ranx keeps the
given order. A query without any relevant passage counts 0 in all of them, and stays.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from secondpass.evaluate.judged import (
    JudgedOrders,
    Missing,
    Positions,
    RelevantPassages,
    Ties,
    Values,
    judge_orders,
    judge_run,
    rank_within,
    sort_run,
)
from secondpass.evaluate.measure_names import Measure, MeasureName, parse_measure
from secondpass.types import Qrels, Run

__all__ = ["CONVENTIONS", "Measure", "measure_orders", "measure_run", "order_run", "parse_measure"]

CONVENTIONS = (
    "The order decides: where a reranker gives equal scores, the passages keep the order they came in.",
    "A question whose list is missing or empty counts 0 (as in ir-measures and trec_eval -c; trec_eval leaves it out).",
    "A passage without a judgement counts as not relevant; Judged@k says how many there are.",
    "Grades above 0 are relevant; lower ones, negative ones too, count as not relevant and have no gain.",
    "A question without any relevant passage counts 0 and stays in the mean (as in trec_eval).",
    "Relevant passages that are not in the list count as missed: MAP, Recall and nDCG are held to all that there are.",
    "nDCG has the grade as gain (trec_eval), nDCG_burges 2^grade - 1; both discount by log2(rank + 1).",
)


def order_run(run: Run, ties: Ties) -> dict[str, list[str]]:
    """Return the passages of every query, best first.

    ``given``: equal scores keep the run's own order. ``trec``: as trec_eval sorts, scores as float32, then names from
    the last.

    Raises:
        InputError: a score is not a number.
    """
    lists = list(run.values())
    lengths = np.array([len(passages) for passages in lists], np.int64)
    places = sort_run(lists, lengths, ties) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    orders: dict[str, list[str]] = {}
    end = 0
    for query_id, passages in run.items():
        doc_ids = list(passages)
        start, end = end, end + len(doc_ids)
        orders[query_id] = list(map(doc_ids.__getitem__, places[start:end].tolist()))
    return orders


def measure_orders(
    measures: Sequence[Measure], orders: Mapping[str, Sequence[str]], qrels: Qrels, missing: Missing = "zero"
) -> dict[str, dict[str, float]]:
    """Return ``{measure: {query_id: value}}`` of orders, best first, for the queries of ``qrels`` in their order.

    A query without an order counts 0, or is left out (``omit``, as trec_eval does). Other queries are not read.

    Raises:
        InputError: a passage stands twice in an order.
    """
    return _measured(measures, judge_orders(orders, qrels, missing))


def measure_run(
    measures: Sequence[Measure], run: Run, qrels: Qrels, ties: Ties = "trec", missing: Missing = "zero"
) -> dict[str, dict[str, float]]:
    """Return the same as `measure_orders` of `order_run`, sooner."""
    return _measured(measures, judge_run(run, qrels, ties, missing))


def _measured(measures: Sequence[Measure], judged: JudgedOrders) -> dict[str, dict[str, float]]:
    return {
        str(measure): dict(zip(judged.query_ids, compute_measure(measure, judged).tolist(), strict=True))
        for measure in measures
    }


def compute_measure(measure: Measure, judged: JudgedOrders) -> Values:
    """Return a measure of every question, float64 [Q]."""
    return _FORMULAS[measure.name](judged, measure.cutoff)


def _per_query(judged: JudgedOrders, passages: RelevantPassages, values: Values | None = None) -> Values:
    """Sum ``values`` (1 each where there are none) by question, float64 [Q]."""
    return np.bincount(passages.query, values, len(judged.query_ids)).astype(np.float64)


def _share(part: Values, whole: Values | Positions) -> Values:
    """Divide, 0 where there is nothing to divide by."""
    return np.divide(part, whole, out=np.zeros(len(part)), where=np.asarray(whole) > 0)


def _discounted_gain(passages: RelevantPassages, gain: Callable[[Positions], Values]) -> Values:
    return gain(passages.grade) / np.log2(passages.rank + 1)


def _ndcg(judged: JudgedOrders, cutoff: int | None, gain: Callable[[Positions], Values]) -> Values:
    """Discounted cumulative gain, divided by that of the best order (Järvelin and Kekäläinen 2002)."""
    found, ideal = judged.found.first(cutoff), judged.ideal.first(cutoff)
    return _share(
        _per_query(judged, found, _discounted_gain(found, gain)),
        _per_query(judged, ideal, _discounted_gain(ideal, gain)),
    )


def _grade_gain(grade: Positions) -> Values:
    return grade.astype(np.float64)


def _burges_gain(grade: Positions) -> Values:
    """2^grade - 1 (Burges et al. 2005)."""
    return np.exp2(grade.astype(np.float64)) - 1


def _average_precision(judged: JudgedOrders, cutoff: int | None) -> Values:
    """Sum the precision at every relevant passage, and divide by how many there are, found or not."""
    found = judged.found.first(cutoff)
    precisions = rank_within(found.query) / found.rank
    return _share(_per_query(judged, found, precisions), _per_query(judged, judged.ideal))


def _reciprocal_rank(judged: JudgedOrders, cutoff: int | None) -> Values:
    found = judged.found.first(cutoff)
    values = np.zeros(len(judged.query_ids))
    first = rank_within(found.query) == 1
    values[found.query[first]] = 1 / found.rank[first]
    return values


def _recall(judged: JudgedOrders, cutoff: int | None) -> Values:
    return _share(_per_query(judged, judged.found.first(cutoff)), _per_query(judged, judged.ideal))


def _precision(judged: JudgedOrders, cutoff: int | None) -> Values:
    """Divides by the cutoff, also where the list is shorter, as trec_eval does."""
    return _per_query(judged, judged.found.first(cutoff)) / (cutoff or np.inf)


def _hit(judged: JudgedOrders, cutoff: int | None) -> Values:
    return np.minimum(_per_query(judged, judged.found.first(cutoff)), 1.0)


def _judged_share(judged: JudgedOrders, cutoff: int | None) -> Values:
    """Divides by the passages that are there, up to the cutoff, as ir-measures does."""
    starts = np.cumsum(judged.retrieved) - judged.retrieved
    first = np.minimum(judged.retrieved, cutoff or np.inf)
    counts = np.concatenate(([0], np.cumsum(judged.judged)))
    ends = (starts + first).astype(np.int64)
    return _share((counts[ends] - counts[starts]).astype(np.float64), first)


_FORMULAS: dict[MeasureName, Callable[[JudgedOrders, int | None], Values]] = {
    "nDCG": lambda judged, cutoff: _ndcg(judged, cutoff, _grade_gain),
    "nDCG_burges": lambda judged, cutoff: _ndcg(judged, cutoff, _burges_gain),
    "MAP": _average_precision,
    "MRR": _reciprocal_rank,
    "Recall": _recall,
    "P": _precision,
    "hit": _hit,
    "Judged": _judged_share,
}
