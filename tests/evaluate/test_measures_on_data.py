"""Measures equal those of pytrec_eval, ir-measures and ranx on the dev sets of the data, and ranx on made-up runs."""

from __future__ import annotations

import importlib
import json
import random
from pathlib import Path

import ir_measures
import numba
import pytest
import pytrec_eval
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ir_measures import AP, RR, P, R, Success, nDCG

from secondpass.evaluate.measures import measure_orders, measure_run, order_run, parse_measure
from secondpass.types import Qrels, Run

# Compiling itself takes ranx two minutes of the first run, and warns; as plain Python it is quick enough.
numba.config.DISABLE_JIT = True
ranx = importlib.import_module("ranx")

DATA = Path(__file__).parents[3] / "shared/data"
SETS = [
    *("cacm", "cisi", "cmrc2018", "covid_pairs_zh", "cranfield", "drcd", "limit_small", "medqa_zh", "noveleval"),
    *("pubmedqa", "rgb_en", "rgb_zh", "selqa", "semeval2016_ql", "squad_dev", "wikiqa"),
]
NAMES = ("nDCG@10", "nDCG", "MAP", "MAP@5", "MRR", "Recall@10", "P@5", "hit@3")
TREC_EVAL = ("ndcg_cut_10", "ndcg", "map", "map_cut_5", "recip_rank", "recall_10", "P_5", "success_3")
IR_MEASURES = (nDCG @ 10, nDCG, AP, AP @ 5, RR, R @ 10, P @ 5, Success @ 3)
RANX = ("ndcg@10", "ndcg", "map", "map@5", "mrr", "recall@10", "precision@5", "hit_rate@3")


def read_lists(folder: Path) -> tuple[Run, Qrels]:
    """The dev lists with scores that many passages share, and their grades; some lists are left out."""
    lines = (folder / "candidates.jsonl").read_text(encoding="utf-8").splitlines()
    generator = random.Random(13)
    run: Run = {}
    for record in map(json.loads, lines):
        if generator.random() < 0.95:
            run[record["qid"]] = {passage: float(generator.randrange(12)) for passage in record["pids"]}
    qrels: Qrels = {}
    for line in (folder / "qrels.tsv").read_text(encoding="utf-8").splitlines():
        query, _, passage, grade = line.split("\t")
        qrels.setdefault(query, {})[passage] = int(grade)
    asked = {record["qid"] for record in map(json.loads, lines)}
    return run, {query: grades for query, grades in qrels.items() if query in asked}


@pytest.mark.skipif(not DATA.is_dir(), reason="shared/data does not lie beside the checkout")
@pytest.mark.parametrize("name", SETS)
def test_measures_of_the_dev_sets_equal_those_of_three_libraries(name: str) -> None:
    run, qrels = read_lists(DATA / name)
    measures = [parse_measure(written) for written in NAMES]

    of_trec_eval = pytrec_eval.RelevanceEvaluator(qrels, set(TREC_EVAL)).evaluate(run)
    ours = measure_run(measures, run, qrels, ties="trec", missing="omit")
    for written, theirs in zip(NAMES, TREC_EVAL, strict=True):
        expected = {query: values[theirs] for query, values in of_trec_eval.items()}
        assert_equal(ours[written], expected)

    ours = measure_run(measures, run, qrels, ties="trec")
    means = ir_measures.calc_aggregate(IR_MEASURES, qrels, run)
    for written, theirs in zip(NAMES, IR_MEASURES, strict=True):
        assert sum(ours[written].values()) / len(qrels) == pytest.approx(means[theirs], abs=1e-9)

    assert_equals_ranx(order_run(run, "given"), qrels)


def assert_equal(ours: dict[str, float], theirs: dict[str, float]) -> None:
    assert ours.keys() == theirs.keys()
    assert max((abs(ours[query] - theirs[query]) for query in ours), default=0.0) <= 1e-9


def assert_equals_ranx(orders: dict[str, list[str]], qrels: Qrels) -> None:
    """ranx gets an order without ties: which of equal scores it puts first depends on its sort, not on a rule.

    It refuses queries that only one side has, and empty lists, so that it is compared on what both have.
    """
    both = [query for query in qrels if orders.get(query)]
    if not both:
        return
    run = {query: {passage: float(-rank) for rank, passage in enumerate(orders[query])} for query in both}
    judged = {query: qrels[query] for query in both}
    names = (*NAMES, "nDCG_burges@10")
    theirs = ranx.Run(run)
    ranx.evaluate(ranx.Qrels(judged), theirs, [*RANX, "ndcg_burges@10"])
    ours = measure_orders([parse_measure(name) for name in names], {query: orders[query] for query in both}, qrels)
    for written, column in zip(names, [*RANX, "ndcg_burges@10"], strict=True):
        assert_equal({query: ours[written][query] for query in both}, dict(theirs.scores[column]))


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["q1", "q2", "问题"]),
        st.lists(st.sampled_from(["a", "b", "c", "段落一", "段落二"]), min_size=1, unique=True),
        min_size=1,
    ),
    st.dictionaries(
        st.sampled_from(["q1", "q2", "问题"]),
        # ranx counts a grade below 0 as it stands, not as 0.
        st.dictionaries(st.sampled_from(["a", "b", "段落一", "elsewhere"]), st.integers(0, 3), min_size=1),
        min_size=1,
    ),
)
def test_measures_equal_ranx_on_orders_without_ties(orders: dict[str, list[str]], qrels: Qrels) -> None:
    assert_equals_ranx(orders, qrels)
