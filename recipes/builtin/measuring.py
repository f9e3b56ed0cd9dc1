"""What the model is worth on dev: how near its evidence is to the reference answers."""

from __future__ import annotations

import json
import random
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from recipes.builtin.sources import lines

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


def as_json(calibration: dict[str, float], gains: dict[str, dict[str, float]], evidence: list[Evidence]) -> str:
    """Return the figures as JSON."""
    record = {"calibration_error": calibration, "nDCG@10": gains, "evidence": [asdict(one) for one in evidence]}
    return json.dumps(record, indent=1)
