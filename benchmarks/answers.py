"""Measure the extractive answers: does the answer hold the reference, and is nothing said where nothing is known?

    python -m benchmarks.answers --data ../shared/data

On dev splits, which the weights have not seen. Prints one table; --output writes the same figures as JSON.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
from recipes.answer.cases import SETS, Case, hits_of, read_cases, read_texts, says
from scipy.stats import rankdata

from secondpass.answer.evidence import find_evidence
from secondpass.answer.extract import ExtractiveAnswerer
from secondpass.types import Hit


def auroc(positives: list[float], negatives: list[float]) -> float:
    ranks = rankdata(positives + negatives)
    count = len(positives)
    return float((ranks[:count].sum() - count * (count + 1) / 2) / count / len(negatives))


def measure_set(cases: list[Case]) -> dict[str, float]:
    answerer = ExtractiveAnswerer()
    always = ExtractiveAnswerer(min_support=0.0)
    support: dict[str, list[float]] = defaultdict(list)
    said: dict[str, list[bool]] = defaultdict(list)
    hit, best_hit, counts = [], [], []
    started = time.perf_counter()
    for case in cases:
        forced = always.answer(case.query, case.answered)
        hit.append(any(says(c.quote, case.answers) for c in forced.citations if c.number == case.gold_rank))
        first = forced.citations[:1]
        best_hit.append(any(says(c.quote, case.answers) for c in first if c.number == case.gold_rank))
        counts.append(len(forced.citations))
        for kind, hits in (("answered", case.answered), ("near", case.near), ("far", case.far)):
            support[kind].append(find_evidence(case.query, hits).support)
            said[kind].append(answerer.answer(case.query, hits).found)
    seconds = time.perf_counter() - started
    unanswered = said["near"] + said["far"]
    right = np.sum(said["answered"]) + np.sum(np.logical_not(unanswered)) / 2
    return {
        "questions": len(cases),
        "answer holds reference %": 100 * float(np.mean(hit)) if cases[0].answers else math.nan,
        "first sentence holds it %": 100 * float(np.mean(best_hit)) if cases[0].answers else math.nan,
        "sentences": float(np.mean(counts)),
        "AUROC near": auroc(support["answered"], support["near"]),
        "AUROC far": auroc(support["answered"], support["far"]),
        "false refusals %": 100 * (1 - float(np.mean(said["answered"]))),
        "answers to near %": 100 * float(np.mean(said["near"])),
        "answers to far %": 100 * float(np.mean(said["far"])),
        "accuracy %": 100 * float(right) / (2 * len(cases)),
        "milliseconds": 1000 * seconds / len(cases) / 7,
    }


def measure_snippets(data: Path, name: str, limit: int) -> dict[str, float]:
    """RGB: web snippets that answer against snippets of the same search that do not."""
    texts = read_texts(data / name)
    relevant = defaultdict(set)
    for line in (data / name / "qrels.tsv").read_text().splitlines():
        query_id, _, passage_id, _ = line.split()
        relevant[query_id].add(passage_id)
    lists = [json.loads(line) for line in (data / name / "candidates.jsonl").read_text().splitlines()]
    listed = {record["qid"]: record["pids"] for record in lists}
    queries = [json.loads(line) for line in (data / name / "queries.jsonl").read_text(encoding="utf-8").splitlines()]
    answerer, always = ExtractiveAnswerer(), ExtractiveAnswerer(min_support=0.0)
    support: dict[str, list[float]] = {"answered": [], "near": []}
    said: dict[str, list[bool]] = {"answered": [], "near": []}
    hit = []
    for query in queries[:limit]:
        good = [p for p in listed[query["_id"]] if p in relevant[query["_id"]]]
        bad = [p for p in listed[query["_id"]] if p not in relevant[query["_id"]]]
        both: dict[str, tuple[Hit, ...]] = {
            "answered": hits_of(texts, sorted(good[:1] + bad[:4])),
            "near": hits_of(texts, bad[:5]),
        }
        hit.append(
            any(
                says(c.quote, tuple(query["answers"])) for c in always.answer(query["text"], both["answered"]).citations
            )
        )
        for kind, hits in both.items():
            if hits:
                support[kind].append(find_evidence(query["text"], hits).support)
                said[kind].append(answerer.answer(query["text"], hits).found)
    return {
        "questions": len(hit),
        "answer holds reference %": 100 * float(np.mean(hit)),
        "AUROC near": auroc(support["answered"], support["near"]),
        "false refusals %": 100 * (1 - float(np.mean(said["answered"]))),
        "answers to near %": 100 * float(np.mean(said["near"])),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--questions", type=int, default=1000, help="of each set")
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    figures = {name: measure_set(read_cases(arguments.data, name, "dev", arguments.questions)) for name in SETS}
    figures["pubmedqa"] = measure_set(read_cases(arguments.data, "pubmedqa", "dev", arguments.questions))
    for name in ("rgb_en", "rgb_zh"):
        figures[name] = measure_snippets(arguments.data, name, arguments.questions)
    rows = list(figures["cmrc2018"])
    print(f"{'':28s}" + "".join(f"{name:>12s}" for name in figures))
    for row in rows:
        values = (f"{figures[name][row]:12.3g}" if row in figures[name] else f"{'':12s}" for name in figures)
        print(f"{row:28s}" + "".join(values))
    if arguments.output:
        arguments.output.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
