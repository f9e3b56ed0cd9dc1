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

import ir_measures
import numpy as np
from ir_measures import AP, RR, Success, nDCG

sys.path.insert(0, str(Path(__file__).parents[1] / "recipes" / "lexical"))  # the reader is the recipe's
from collection import PLAIN, STEMMED, Bm25, Collection, read_collection

from secondpass.rerank.lexical import LexicalReranker
from secondpass.text.language import language
from secondpass.types import Chunk, Hit, Run, StageScore

MEASURES = {"nDCG@10": nDCG @ 10, "MRR@10": RR @ 10, "MAP": AP, "hit@3": Success @ 3}
TESTED = "nDCG@10"
DRAWS = 10_000
SEED = 13
BINS = 10


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
            run[query_id] = _in_order(ids, values)
    probability = 1 / (1 + np.exp(-np.array(logits)))
    return Scored(collection, *runs, probability, np.array(relevant))


def as_hit(passage: Chunk, score: float, lists: str) -> Hit:
    """Return a passage as a BM25 first stage hands it over, or bare."""
    return Hit(passage, score, "bm25", (StageScore("bm25", 1, score, "bm25"),) if lists == "bm25" else ())


def _in_order(ids: list[str], values: np.ndarray) -> dict[str, float]:
    """Return ranks as scores: ties keep the given order for both, which ir_measures would break by name."""
    order = np.argsort(-values, kind="stable")
    return {ids[position]: float(len(ids) - rank) for rank, position in enumerate(order)}


def per_query(scored: Scored, run: Run) -> dict[str, np.ndarray]:
    """Return every measure for every query, float64 [Q], in the order of the run."""
    qrels = {key: scored.collection.qrels[key] for key in run}
    values: dict[str, dict[str, float]] = {name: {} for name in MEASURES}
    names = {measure: name for name, measure in MEASURES.items()}
    for metric in ir_measures.iter_calc(MEASURES.values(), qrels, run):
        values[names[metric.measure]][metric.query_id] = metric.value
    return {name: np.array([found[key] for key in run]) for name, found in values.items()}


def randomisation_test(differences: np.ndarray, draws: int = DRAWS) -> float:
    """Return the two-sided p-value: how often random signs give a mean as far from 0 (Fisher 1935)."""
    generator = np.random.default_rng(SEED)
    observed = abs(differences.mean()) - 1e-12
    as_far = 0
    for _ in range(0, draws, 1000):
        signs = generator.choice([-1.0, 1.0], size=(1000, len(differences)))
        as_far += int((np.abs(signs @ differences) / len(differences) >= observed).sum())
    return (as_far + 1) / (draws + 1)


def bootstrap_interval(differences: np.ndarray, draws: int = DRAWS) -> tuple[float, float]:
    """Return the 95% interval of the mean (percentiles of resampled means)."""
    generator = np.random.default_rng(SEED)
    means = [
        differences[generator.integers(0, len(differences), (1000, len(differences)))].mean(axis=1)
        for _ in range(0, draws, 1000)
    ]
    low, high = np.quantile(np.concatenate(means), [0.025, 0.975])
    return float(low), float(high)


def holm(p_values: list[float]) -> list[float]:
    """Correct p-values for their number (Holm 1979)."""
    corrected = [1.0] * len(p_values)
    highest = 0.0
    for rank, index in enumerate(np.argsort(p_values)):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = highest
    return corrected


def calibration_error(probability: np.ndarray, relevant: np.ndarray) -> float:
    """Return the expected calibration error in ten bins of equal width (Naeini et al. 2015)."""
    place = np.minimum((probability * BINS).astype(int), BINS - 1)
    return sum(
        abs(probability[place == number].mean() - relevant[place == number].mean()) * (place == number).mean()
        for number in range(BINS)
        if (place == number).any()
    )


def compare(scored: Scored) -> Row:
    """Measure one set."""
    before, after = per_query(scored, scored.bm25), per_query(scored, scored.lexical)
    differences = after[TESTED] - before[TESTED]
    low, high = bootstrap_interval(differences)
    return Row(
        name=scored.collection.name,
        queries=len(differences),
        bm25={name: 100 * float(values.mean()) for name, values in before.items()},
        lexical={name: 100 * float(values.mean()) for name, values in after.items()},
        difference=100 * float(differences.mean()),
        interval=(100 * low, 100 * high),
        p_value=randomisation_test(differences),
        wins=int((differences > 1e-9).sum()),
        ties=int((np.abs(differences) <= 1e-9).sum()),
        losses=int((differences < -1e-9).sum()),
        calibration_error=float(calibration_error(scored.probability, scored.relevant)),
        relevant_share=float(scored.relevant.mean()),
        language=language(" ".join(text for text, _ in scored.collection.queries.values())),
        differences=differences.round(6).tolist(),
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
        p_value = randomisation_test(differences)
        lines.append(
            f"{name}: {len(sets)} sets, {count} questions; every set the same: {100 * differences.mean():+.2f} "
            f"[{low:+.2f}, {high:+.2f}], p {p_value:.4f}; every question the same: "
            f"{100 * np.concatenate(sets).mean():+.2f}, p {randomisation_test(np.concatenate(sets)):.4f}"
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
