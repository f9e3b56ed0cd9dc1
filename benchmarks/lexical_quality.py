"""Compare the lexical reranker with BM25 on every reranking list of the data.

    python benchmarks/lexical_quality.py --data ../shared/data [--lists bare] [--json FILE] [--sets drcd,selqa]

Two ways: ``--lists bm25`` (the default) hands the reranker what the pipeline hands it, hits that come from BM25 with
its score; ``--lists bare`` hands it passages alone. BM25 itself knows the whole collection (its IDF and average length)
in both. ``--analyzer plain`` gives BM25 no stems and no folding, the form of the data's reference figures.
"""

import argparse
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "recipes" / "lexical"))  # the reader is the recipe's
from collection import PLAIN, STEMMED, Bm25, Collection, read_collection

from secondpass.evaluate.calibration import calibrate
from secondpass.evaluate.measures import measure_run, parse_measure
from secondpass.evaluate.statistics import bootstrap_interval, difference, holm, paired_test
from secondpass.rerank.lexical import LexicalReranker
from secondpass.text.language import language
from secondpass.types import Chunk, Hit, Run, StageScore

MEASURES = ("nDCG@10", "MRR@10", "MAP", "hit@3")
TESTED = "nDCG@10"


@dataclass(frozen=True, slots=True)
class Row:
    """Figures of one set: means in %, and the paired comparison of nDCG@10."""

    name: str
    queries: int
    bm25: dict[str, float]
    lexical: dict[str, float]
    difference: float
    interval: tuple[float, float]
    p_value: float
    wins: int
    ties: int
    losses: int
    calibration_error: float
    relevant_share: float
    language: str
    differences: list[float]


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """Both runs of a set, and probability and relevance of every pair."""

    collection: Collection
    bm25: Run
    lexical: Run
    probability: np.ndarray
    relevant: np.ndarray


def score_lists(collection: Collection, analyzer: str, lists: str) -> Scored:
    """Score every dev list with both."""
    bm25 = Bm25(collection.passages.values(), PLAIN if analyzer == "plain" else STEMMED)
    reranker = LexicalReranker()
    runs: tuple[Run, Run] = ({}, {})
    logits: list[float] = []
    relevant: list[bool] = []
    for query_id in collection.query_ids("dev"):
        ids = collection.candidates.get(query_id)
        if not ids:
            continue
        query = collection.queries[query_id][0]
        given = bm25.score_of(query, ids)
        hits = [as_hit(collection.passages[key], score, lists) for key, score in zip(ids, given, strict=True)]
        by_id = {hit.chunk.id: hit.score for hit in reranker.rerank(query, hits)}
        logits += by_id.values()
        relevant += [key in collection.qrels[query_id] for key in by_id]
        for run, values in zip(runs, (given, np.array([by_id[key] for key in ids])), strict=True):
            run[query_id] = dict(zip(ids, values.tolist(), strict=True))
    probability = 1 / (1 + np.exp(-np.array(logits)))
    return Scored(collection, *runs, probability, np.array(relevant))


def as_hit(passage: Chunk, score: float, lists: str) -> Hit:
    """Return a passage as a BM25 first stage hands it over, or bare."""
    return Hit(passage, score, "bm25", (StageScore("bm25", 1, score, "bm25"),) if lists == "bm25" else ())


def per_query(scored: Scored, run: Run) -> dict[str, np.ndarray]:
    """Return every measure for every query, float64 [Q], in the order of the run."""
    qrels = {key: scored.collection.qrels[key] for key in run}
    found = measure_run([parse_measure(name) for name in MEASURES], run, qrels, ties="given")
    return {name: np.array([values[key] for key in run]) for name, values in found.items()}


def compare(scored: Scored) -> Row:
    """Measure one set."""
    before, after = per_query(scored, scored.bm25), per_query(scored, scored.lexical)
    found = difference(after[TESTED], before[TESTED])
    return Row(
        name=scored.collection.name,
        queries=len(before[TESTED]),
        bm25={name: 100 * float(values.mean()) for name, values in before.items()},
        lexical={name: 100 * float(values.mean()) for name, values in after.items()},
        difference=100 * found.mean,
        interval=(100 * found.low, 100 * found.high),
        p_value=found.p_value,
        wins=found.wins,
        ties=found.ties,
        losses=found.losses,
        calibration_error=calibrate(scored.probability, scored.relevant).error,
        relevant_share=float(scored.relevant.mean()),
        language=language(" ".join(text for text, _ in scored.collection.queries.values())),
        differences=(after[TESTED] - before[TESTED]).round(6).tolist(),
    )


def as_table(rows: list[Row]) -> str:
    """Return the rows as a Markdown table."""
    lines = [
        "| set | queries | BM25 nDCG@10 / MRR@10 / MAP / hit@3 | lexical | difference of nDCG@10 [95%] | p (Holm) "
        "| better / same / worse | ECE (relevant) |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row, p_value in zip(rows, holm([row.p_value for row in rows]), strict=True):
        before, after = (" / ".join(f"{v:.1f}" for v in part.values()) for part in (row.bm25, row.lexical))
        mark = "**" if p_value < 0.05 else ""
        lines.append(
            f"| {row.name} | {row.queries} | {before} | {after} "
            f"| {mark}{row.difference:+.2f}{mark} [{row.interval[0]:+.2f}, {row.interval[1]:+.2f}] | {p_value:.4f} "
            f"| {row.wins} / {row.ties} / {row.losses} | {row.calibration_error:.3f} ({row.relevant_share:.0%}) |"
        )
    mean = np.mean([[row.bm25[TESTED], row.lexical[TESTED]] for row in rows], axis=0)
    lines.append(f"| mean | | {mean[0]:.2f} (nDCG@10) | {mean[1]:.2f} | {mean[1] - mean[0]:+.2f} | | | |")
    return "\n".join(lines)


def by_language(rows: list[Row]) -> str:
    """Return one line per language: all its questions together."""
    lines = []
    for name in ("zh", "en"):
        sets = [np.array(row.differences) for row in rows if row.language == name]
        if not sets:
            continue
        # Scaled so that the plain mean of all questions is the mean of the sets' means.
        count = sum(map(len, sets))
        differences = np.concatenate([part * count / (len(sets) * len(part)) for part in sets])
        low, high = (100 * value for value in bootstrap_interval(differences))
        p_value = paired_test(differences)
        lines.append(
            f"{name}: {len(sets)} sets, {count} questions; every set the same: {100 * differences.mean():+.2f} "
            f"[{low:+.2f}, {high:+.2f}], p {p_value:.4f}; every question the same: "
            f"{100 * np.concatenate(sets).mean():+.2f}, p {paired_test(np.concatenate(sets)):.4f}"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--sets", default="", help="names of sets, separated by commas (default: all with lists)")
    parser.add_argument("--analyzer", choices=["stemmed", "plain"], default="stemmed", help="of BM25")
    parser.add_argument("--lists", choices=["bm25", "bare"], default="bm25", help="what the reranker is handed")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    arguments = parser.parse_args()
    wanted = arguments.sets.split(",") if arguments.sets else None
    folders = sorted(path.parent for path in arguments.data.glob("*/candidates.jsonl"))
    rows = [
        compare(score_lists(read_collection(folder), arguments.analyzer, arguments.lists))
        for folder in folders
        if wanted is None or folder.name in wanted
    ]
    print(as_table(rows))
    print(by_language(rows))
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
