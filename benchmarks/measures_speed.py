"""How fast measures are: nDCG@10, MAP, MRR@10 and Recall@100 of 1,000,000 judged pairs, beside pytrec_eval and ranx.

    python benchmarks/measures_speed.py [--queries 10000] [--passages 100] [--rounds 5] [--threads 1]

All take turns in one process, round by round; the least and the median are printed, in CPU seconds and in wall seconds
(ranx computes in as many threads as it is given). "from dictionaries" starts with what every library takes,
``{query_id: {doc_id: score}}`` and ``{query_id: {doc_id: grade}}``, and ends with a value per query. "prepared" leaves
out what a library does once for many runs or measures: pytrec_eval's evaluator is made (its run stays a dictionary, it
takes nothing else), ranx's Qrels and Run are made, our orders are joined with the judgements. "from orders" is ours
alone: lists of passages, best first, as a reranker gives them. All results are checked to be equal first; ranx
compiles before the first round.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Callable

import pytrec_eval
import ranx
from numba import set_num_threads

from secondpass.evaluate.judged import judge_run
from secondpass.evaluate.measures import compute_measure, measure_orders, measure_run, order_run, parse_measure
from secondpass.types import Qrels, Run

MEASURES = [parse_measure(name) for name in ("nDCG@10", "MAP", "MRR@10", "Recall@100")]
TREC_EVAL = {"ndcg_cut_10", "map", "recip_rank", "recall_100"}  # its recip_rank has no cutoff
RANX = ["ndcg@10", "map", "mrr@10", "recall@100"]
Job = Callable[[], object]


def make(queries: int, passages: int) -> tuple[Run, Qrels]:
    """Make lists of passages in random order, all of them judged: a tenth is relevant, with grades 1 and 2."""
    generator = random.Random(13)
    run: Run = {}
    qrels: Qrels = {}
    for query in range(queries):
        names = [f"d{query:05}_{number:04}" for number in range(passages)]
        run[f"q{query:05}"] = {name: generator.random() for name in names}
        grades = generator.choices([0, 1, 2], [0.9, 0.07, 0.03], k=passages)
        qrels[f"q{query:05}"] = dict(zip(names, grades, strict=True))
    return run, qrels


def with_ranx(qrels: ranx.Qrels, run: ranx.Run) -> object:
    return ranx.evaluate(qrels, run, RANX, return_mean=False, save_results_in_run=False)


def make_jobs(run: Run, qrels: Qrels) -> dict[tuple[str, str], Job]:
    """Return the jobs by (stage, library)."""
    evaluator = pytrec_eval.RelevanceEvaluator(qrels, TREC_EVAL)
    ranx_qrels, ranx_run = ranx.Qrels(qrels), ranx.Run(run)
    judged = judge_run(run, qrels, "trec", "zero")
    orders = order_run(run, "trec")
    return {
        ("from dictionaries", "secondpass"): lambda: measure_run(MEASURES, run, qrels),
        ("from dictionaries", "pytrec_eval"): lambda: pytrec_eval.RelevanceEvaluator(qrels, TREC_EVAL).evaluate(run),
        ("from dictionaries", "ranx"): lambda: with_ranx(ranx.Qrels(qrels), ranx.Run(run)),
        ("prepared", "secondpass"): lambda: [compute_measure(measure, judged) for measure in MEASURES],
        ("prepared", "pytrec_eval"): lambda: evaluator.evaluate(run),
        ("prepared", "ranx"): lambda: with_ranx(ranx_qrels, ranx_run),
        ("from orders", "secondpass"): lambda: measure_orders(MEASURES, orders, qrels),
    }


def check_equal(run: Run, qrels: Qrels) -> None:
    """Refuse to time what does not compute the same."""
    ours = measure_run(MEASURES, run, qrels)
    theirs = pytrec_eval.RelevanceEvaluator(qrels, TREC_EVAL).evaluate(run)
    for name, column in (("nDCG@10", "ndcg_cut_10"), ("MAP", "map"), ("Recall@100", "recall_100")):
        assert max(abs(ours[name][query] - values[column]) for query, values in theirs.items()) < 1e-9, name
    found = with_ranx(ranx.Qrels(qrels), ranx.Run(run))
    for measure, column in zip(MEASURES, RANX, strict=True):
        values = ours[str(measure)].values()
        assert max(abs(a - b) for a, b in zip(values, found[column], strict=True)) < 1e-9, column


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--queries", type=int, default=10_000)
    parser.add_argument("--passages", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1, help="of ranx")
    arguments = parser.parse_args()
    set_num_threads(arguments.threads)
    run, qrels = make(arguments.queries, arguments.passages)
    check_equal(run, qrels)
    jobs = make_jobs(run, qrels)
    cpu: dict[tuple[str, str], list[float]] = {key: [] for key in jobs}
    wall: dict[tuple[str, str], list[float]] = {key: [] for key in jobs}
    for _ in range(arguments.rounds):
        for key, job in jobs.items():
            cpu_start, start = time.process_time(), time.perf_counter()
            job()
            wall[key].append(time.perf_counter() - start)
            cpu[key].append(time.process_time() - cpu_start)
    print(f"{arguments.queries * arguments.passages:,} pairs, {arguments.rounds} rounds, ranx in {arguments.threads}")
    print(f"{'stage':18} {'library':12} {'CPU s: least':>12} {'median':>8} {'wall s: least':>14} {'median':>8}")
    for key in jobs:
        figures = (min(cpu[key]), statistics.median(cpu[key]), min(wall[key]), statistics.median(wall[key]))
        print(f"{key[0]:18} {key[1]:12} {figures[0]:12.3f} {figures[1]:8.3f} {figures[2]:14.3f} {figures[3]:8.3f}")
    for ours, theirs in (("from dictionaries",) * 2, ("from dictionaries", "prepared"), ("prepared",) * 2):
        for what, times in (("CPU", cpu), ("wall", wall)):
            peers = {name: min(times[theirs, name]) for name in ("pytrec_eval", "ranx")}
            fastest = min(peers, key=lambda name: peers[name])
            ratio = peers[fastest] / min(times[ours, "secondpass"])
            print(f"{what}: ours {ours} is {ratio:.1f} times as fast as the faster of the two {theirs} ({fastest})")


if __name__ == "__main__":
    main()
