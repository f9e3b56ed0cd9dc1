"""Fit when the evidence that a reranker points at is said as the answer, and of which passage; write pointing.json.

    python -m recipes.answer.point --data ../shared/data --reranker builtin

Power: of some powers of the confidence the one with which the chosen evidence holds the answer most often. Threshold:
so that few of the answered questions are refused. Both on dev questions, every set of a language counting the same.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from recipes.answer.cases import SETS, Case, read_cases, says

from secondpass.answer.pointed import Pointed, Pointing, best_pointed, pointed_at
from secondpass.rerank.names import open_reranker
from secondpass.rerank.options import RerankerOptions
from secondpass.types import Hit, Reranker

OUTPUT = Path(__file__).parents[2] / "src/secondpass/answer/pointing.json"
POWERS = (0.0, 0.25, 0.5, 1.0, 2.0)
REFUSED_OF_ANSWERED = 0.05


@dataclass(frozen=True, slots=True)
class Read:
    """What a reranker points at in the three lists of a case, each with the words of its evidence."""

    answers: tuple[str, ...]
    answered: list[tuple[Pointed, str]]
    near: list[tuple[Pointed, str]]
    far: list[tuple[Pointed, str]]


def read_case(case: Case, reranker: Reranker) -> Read:
    """Have a case's lists read."""

    def read(hits: tuple[Hit, ...]) -> list[tuple[Pointed, str]]:
        ranked = reranker.rerank(case.query, hits)
        return [(one, ranked[one.rank - 1].chunk.text[one.span.start : one.span.end]) for one in pointed_at(ranked)]

    return Read(case.answers, read(case.answered), read(case.near), read(case.far))


def chosen(found: list[tuple[Pointed, str]], power: float) -> tuple[Pointed, str] | None:
    """Return the evidence that would be said."""
    if not found:
        return None
    best = best_pointed([one for one, _ in found], Pointing(0.0, power))
    return next(pair for pair in found if pair[0] is best)


def right(cases: list[Read], power: float) -> float:
    """Return in which share of answered cases the chosen evidence holds the answer."""
    said = [chosen(case.answered, power) for case in cases]
    return float(
        np.mean([pair is not None and says(pair[1], case.answers) for pair, case in zip(said, cases, strict=True)])
    )


def probabilities(lists: list[list[tuple[Pointed, str]]], power: float) -> np.ndarray:
    """Return the probability of the chosen hit of each list, 0 where nothing is pointed at."""
    said = [chosen(found, power) for found in lists]
    return np.array([pair[0].probability if pair else 0.0 for pair in said])


def fit(sets: dict[str, list[Read]]) -> Pointing:
    """Return the numbers of one language."""
    power = max(POWERS, key=lambda tried: float(np.mean([right(cases, tried) for cases in sets.values()])))
    answered = np.concatenate([probabilities([case.answered for case in cases], power) for cases in sets.values()])
    lowest = float(np.quantile(answered, REFUSED_OF_ANSWERED))
    return Pointing(round(lowest, 4), power)


def main() -> None:
    """Read the cases, fit, say what came of it, and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--reranker", default="builtin")
    parser.add_argument("--questions", type=int, default=100, help="dev questions of each set")
    given = parser.parse_args()
    reranker = open_reranker(given.reranker, RerankerOptions())
    fitted = {}
    for language in ("zh", "en"):
        sets = {
            name: [read_case(case, reranker) for case in read_cases(given.data, name, "dev", given.questions)]
            for name, code in SETS.items()
            if code == language
        }
        numbers = fit(sets)
        fitted[language] = {
            "least_probability": numbers.least_probability,
            "confidence_power": numbers.confidence_power,
        }
        for name, cases in sets.items():
            print(name, *(f"power {power:g}: {100 * right(cases, power):.1f}" for power in POWERS))
            for kind in ("answered", "near", "far"):
                above = probabilities([getattr(case, kind) for case in cases], numbers.confidence_power)
                print(f"  {kind}: {100 * np.mean(above >= numbers.least_probability):.1f}% are given an answer")
    lines = ",\n".join(f'  "{language}": {json.dumps(numbers)}' for language, numbers in fitted.items())
    OUTPUT.write_text("{\n" + lines + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
