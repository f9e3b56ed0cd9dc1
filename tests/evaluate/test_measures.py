"""Measures equal those of trec_eval (pytrec_eval), ir-measures and ranx, on made-up runs and on the dev sets."""

from __future__ import annotations

import math
from collections.abc import Mapping

import ir_measures
import pytest
import pytrec_eval
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ir_measures import AP, RR, Judged, P, R, Success, nDCG

from secondpass.errors import InputError
from secondpass.evaluate.measures import (
    CONVENTIONS,
    Measure,
    measure_orders,
    measure_run,
    order_run,
    parse_measure,
)
from secondpass.types import Qrels, Run

CUTOFFS = (1, 3, 10)
OF_PYTREC_EVAL = {
    "nDCG": "ndcg",
    "MAP": "map",
    "MRR": "recip_rank",
    "Recall": "set_recall",
    **{f"nDCG@{k}": f"ndcg_cut_{k}" for k in CUTOFFS},
    **{f"MAP@{k}": f"map_cut_{k}" for k in CUTOFFS},
    **{f"Recall@{k}": f"recall_{k}" for k in CUTOFFS},
    **{f"P@{k}": f"P_{k}" for k in CUTOFFS},
    **{f"hit@{k}": f"success_{k}" for k in CUTOFFS},
}
OF_IR_MEASURES = {
    "nDCG@10": nDCG @ 10,
    "nDCG": nDCG,
    "MAP": AP,
    "MAP@3": AP @ 3,
    "MRR": RR,
    "MRR@3": RR @ 3,
    "Recall@3": R @ 3,
    "P@3": P @ 3,
    "hit@3": Success @ 3,
    "Judged@3": Judged @ 3,
}
PASSAGES = ["a", "b", "B", "10", "9", "é", "段落一", "段落二", "𠀀", "z z"]
# Equal ones, ones that are equal as float32 only, beyond float32, negative, and both zeros.
SCORES = [1.0, 1.0 + 1e-9, 2.0, 16777216.0, 16777217.0, 1e300, 2e300, -1e300, -3.5, 0.0, -0.0, 1e-300, 1e-45, math.inf]


def parsed(names: Mapping[str, object]) -> list[Measure]:
    return [parse_measure(name) for name in names]


@st.composite
def runs_and_qrels(draw: st.DrawFn) -> tuple[Run, Qrels]:
    """Runs with ties and without queries that are judged, qrels without queries that were run; no query is judged only
    with grades below 0, of which pytrec_eval 0.5.11 makes an endless loop."""
    queries = draw(st.lists(st.sampled_from(["q1", "q2", "q3", "问题"]), min_size=1, unique=True))
    passages = st.sampled_from(PASSAGES)
    run: Run = {
        query: draw(st.dictionaries(passages, st.sampled_from(SCORES) | st.floats(-5, 5), max_size=10))
        for query in queries
        if draw(st.booleans())
    }
    grades = st.sampled_from([-2, -1, 0, 0, 1, 1, 2, 3])
    qrels: Qrels = {
        query: draw(st.dictionaries(passages, grades, min_size=1, max_size=10)) | {"judged": draw(st.integers(0, 2))}
        for query in queries
        if draw(st.integers(0, 3))
    }
    return run, qrels


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(runs_and_qrels())
def test_measures_equal_trec_eval_with_ties_gaps_and_strange_scores(made: tuple[Run, Qrels]) -> None:
    run, qrels = made
    theirs = pytrec_eval.RelevanceEvaluator(qrels, set(OF_PYTREC_EVAL.values())).evaluate(run) if qrels else {}
    ours = measure_run(parsed(OF_PYTREC_EVAL), run, qrels, ties="trec", missing="omit")
    for name, column in OF_PYTREC_EVAL.items():
        assert ours[name] == pytest.approx({query: values[column] for query, values in theirs.items()}, abs=1e-9)


@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(runs_and_qrels())
def test_measures_equal_ir_measures_which_counts_absent_queries_as_zero(made: tuple[Run, Qrels]) -> None:
    run, qrels = made
    # ir-measures orders by float32 for some measures and by scores as they are for others, so that it gets an order
    # without ties; its Judged divides by zero for an empty list.
    orders = {query: order for query, order in order_run(run, "trec").items() if order}
    run = {query: {doc: float(-rank) for rank, doc in enumerate(order)} for query, order in orders.items()}
    theirs: dict[str, dict[str, float]] = {name: {} for name in OF_IR_MEASURES}
    names = {measure: name for name, measure in OF_IR_MEASURES.items()}
    for found in ir_measures.iter_calc(OF_IR_MEASURES.values(), qrels, run) if qrels else ():
        theirs[names[found.measure]][found.query_id] = found.value
    ours = measure_orders(parsed(OF_IR_MEASURES), orders, qrels)
    for name, values in theirs.items():
        assert ours[name] == pytest.approx(values, abs=1e-9), name


@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(runs_and_qrels(), st.sampled_from(["trec", "given"]), st.sampled_from(["zero", "omit"]))
def test_measuring_a_run_is_measuring_its_order(made: tuple[Run, Qrels], ties: str, missing: str) -> None:
    run, qrels = made
    measures = [parse_measure(name) for name in ("nDCG@3", "nDCG_burges", "MAP", "MRR@3", "Recall", "Judged@3")]
    assert measure_run(measures, run, qrels, ties, missing) == measure_orders(
        measures, order_run(run, ties), qrels, missing
    )


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.sampled_from(PASSAGES), st.sampled_from(SCORES), min_size=1))
def test_trec_order_is_the_order_in_which_trec_eval_finds_each_passage(passages: dict[str, float]) -> None:
    (order,) = order_run({"q": passages}, "trec").values()
    for rank, passage in enumerate(order, start=1):
        found = pytrec_eval.RelevanceEvaluator({"q": {passage: 1}}, {"recip_rank"}).evaluate({"q": passages})
        assert found["q"]["recip_rank"] == pytest.approx(1 / rank)


def test_given_order_keeps_equal_scores_where_they_stood_and_trec_order_does_not() -> None:
    run = {"q": {"乙": 1.0, "甲": 1.0, "丙": 2.0, "丁": 1.0 + 1e-9}}
    assert order_run(run, "given") == {"q": ["丙", "丁", "乙", "甲"]}
    assert order_run(run, "trec") == {"q": ["丙", "甲", "乙", "丁"]}


def test_a_score_that_is_no_number_is_refused() -> None:
    with pytest.raises(InputError, match="'乙' is not a number"):
        order_run({"q": {"甲": 1.0, "乙": math.nan}}, "trec")


def test_a_passage_that_stands_twice_is_refused() -> None:
    with pytest.raises(InputError, match="'甲' stands twice in the order of query 'q'"):
        measure_orders([Measure("MRR")], {"q": ["甲", "乙", "甲"]}, {"q": {"乙": 1}})


def test_a_query_without_an_order_counts_zero_or_is_left_out() -> None:
    qrels = {"q1": {"甲": 1}, "q2": {"甲": 1}}
    assert measure_orders([Measure("MRR")], {"q1": ["甲"]}, qrels) == {"MRR": {"q1": 1.0, "q2": 0.0}}
    assert measure_orders([Measure("MRR")], {"q1": ["甲"]}, qrels, "omit") == {"MRR": {"q1": 1.0}}
    assert measure_orders([Measure("MRR")], {}, qrels, "omit") == {"MRR": {}}


def test_a_query_without_a_relevant_passage_counts_zero_and_stays_as_in_trec_eval() -> None:
    qrels, run = {"q": {"甲": 0, "乙": -1}}, {"q": {"甲": 1.0}}
    theirs = pytrec_eval.RelevanceEvaluator(qrels, {"map", "ndcg"}).evaluate(run)["q"]
    assert theirs == {"map": 0.0, "ndcg": 0.0}
    for missing in ("zero", "omit"):
        ours = measure_run([Measure("MAP"), Measure("nDCG")], run, qrels, missing=missing)
        assert ours == {"MAP": {"q": 0.0}, "nDCG": {"q": 0.0}}


def test_by_hand() -> None:
    order = {"q": ["x", "好", "中", "y", "missing grade"]}
    qrels = {"q": {"好": 3, "中": 1, "x": 0, "elsewhere": 2}}
    found = measure_orders(
        [parse_measure(name) for name in ("nDCG@3", "nDCG_burges@3", "MAP", "MRR", "Recall@3", "P@10", "Judged@5")],
        order,
        qrels,
    )
    second, third = 1 / math.log2(3), 1 / math.log2(4)
    assert {name: values["q"] for name, values in found.items()} == pytest.approx(
        {
            "nDCG@3": (3 * second + 1 * third) / (3 + 2 * second + 1 * third),
            "nDCG_burges@3": (7 * second + 1 * third) / (7 + 3 * second + 1 * third),
            "MAP": (1 / 2 + 2 / 3) / 3,
            "MRR": 1 / 2,
            "Recall@3": 2 / 3,
            "P@10": 2 / 10,
            "Judged@5": 3 / 5,
        }
    )


def test_conventions_are_sentences() -> None:
    assert all(sentence[0].isupper() or sentence.startswith("nDCG") for sentence in CONVENTIONS)
    assert all(sentence.endswith(".") for sentence in CONVENTIONS)
