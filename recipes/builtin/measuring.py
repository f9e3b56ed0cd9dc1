"""What the model is worth on dev: how well its probabilities and its evidence hold."""

from __future__ import annotations

import json
import random
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from calibration import Floats, calibration_error
from sources import lines

from secondpass.evaluate.answer_scores import exact_match, f1
from secondpass.text.language import language
from secondpass.types import PairScorer

EVIDENCE_SETS = ("squad_dev", "cmrc2018", "drcd")


@dataclass(frozen=True, slots=True)
class Evidence:
    """How near the spans of a set's dev questions are to the reference answers, the passage given."""

    name: str
    questions: int
    exact: float
    f1: float


@dataclass(frozen=True, slots=True)
class Scored:
    """The scores of dev pairs, with their relevance and whether they are Chinese: arrays [N]."""

    scores: Floats
    relevant: Floats
    chinese: Floats


def score_pairs(scorer: PairScorer, dev: Path) -> Scored:
    """Score every pair of the dev lists."""
    scores: list[float] = []
    relevant: list[bool] = []
    chinese: list[bool] = []
    for row in lines(dev):
        passages = list(dict.fromkeys([*row["pos"], *row["neg"]]))
        scores += [one.score for one in scorer.score(row["query"], passages)]
        relevant += [passage in row["pos"] for passage in passages]
        chinese += [language(row["query"]) == "zh"] * len(passages)
    return Scored(np.array(scores), np.array(relevant, dtype=float), np.array(chinese, dtype=float))


def errors(scored: Scored) -> dict[str, float]:
    """Return the expected calibration error of each language and of both."""
    parts = {"en": scored.chinese == 0, "zh": scored.chinese == 1, "both": scored.chinese >= 0}
    return {name: calibration_error(scored.scores[part], scored.relevant[part]) for name, part in parts.items()}


def measure_evidence(scorer: PairScorer, data: Path, questions: int, seed: int) -> list[Evidence]:
    """Point at the answer in the right passage, and compare."""
    found = []
    for name in EVIDENCE_SETS:
        rows = {row["_id"]: row for row in lines(data / name / "queries.jsonl") if row["split"] == "dev"}
        right = {}
        for line in (data / name / "qrels.tsv").read_text(encoding="utf-8").splitlines():
            query, _, passage, _ = line.split()
            right.setdefault(query, passage)
        texts = {row["_id"]: row["text"] for row in lines(data / name / "corpus.jsonl.gz")}
        asked = sorted(query for query, row in rows.items() if row.get("answers"))
        values = []
        for query in random.Random(seed).sample(asked, min(questions, len(asked))):
            text = texts[right[query]]
            span = scorer.score(rows[query]["text"], [text])[0].span
            said = text[span.start : span.end] if span else ""
            code = language(text)
            answers = rows[query]["answers"]
            values.append((exact_match(said, answers, code), f1(said, answers, code)))
        exact, overlap = np.mean(values, axis=0)
        found.append(Evidence(name, len(values), float(exact), float(overlap)))
    return found


def as_json(calibration: dict[str, float], evidence: list[Evidence]) -> str:
    """Return the figures as JSON."""
    record = {"calibration_error": calibration, "evidence": [asdict(one) for one in evidence]}
    return json.dumps(record, indent=1)
