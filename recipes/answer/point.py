"""Fit which sentence is said of hits that a reranker has read, and when none is; write pointing.json.

    python -m recipes.answer.point --data ../shared/data --reranker builtin

Weights: a conditional logit, the chance of the sentences that hold the answer among all of the probable hits (McFadden,
1974). Least probability: so that few of the answered questions are refused. Both on dev questions.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from recipes.answer.cases import SETS, Case, read_cases, says
from scipy.optimize import minimize

from secondpass.answer.pointed import Pointing, Weighed, Weights, pointed_at, pointing, weigh
from secondpass.rerank.names import open_reranker
from secondpass.rerank.options import RerankerOptions
from secondpass.types import Hit, Language, Reranker

OUTPUT = Path(__file__).parents[2] / "src/secondpass/answer/pointing.json"
REFUSED_OF_ANSWERED = 0.05
STEADY = 0.02
"""How much weights are drawn to 0, a question: questions are few."""
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """The sentences of one question: float64 [N, 3] of what speaks for each, and bool [N], which hold the answer."""

    values: Floats
    right: npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Read:
    """A case as the reranker reads it: its sentences, and each list's highest probability."""

    choice: Choice
    answered: float
    near: float
    far: float


def read_case(case: Case, reranker: Reranker, weights: Weights) -> Read:
    """Have a case's lists read."""
    hits = reranker.rerank(case.query, case.answered)
    weighed = [one for one, _ in weigh(case.query, hits, pointed_at(hits), weights)]
    near, far = (reranker.rerank(case.query, other) for other in (case.near, case.far))
    return Read(choice_of(weighed, case.answers), highest(hits), highest(near), highest(far))


def choice_of(weighed: Sequence[Weighed], answers: tuple[str, ...]) -> Choice:
    """Return ``weighed`` as numbers, in the order of `Weights`."""
    values = [(one.found.score, one.evidence, one.passage) for one in weighed]
    right = np.array([says(one.found.text, answers) for one in weighed], dtype=bool)
    return Choice(np.array(values, dtype=np.float64).reshape(len(values), 3), right)


def highest(hits: Sequence[Hit]) -> float:
    """Return the highest probability of hits with evidence, 0 where there is none."""
    return max((one.probability for one in pointed_at(hits)), default=0.0)


def fit_weights(choices: Sequence[Choice]) -> Weights:
    """Return the weights, none below 0, with which the right sentences are likeliest."""
    with_answer = [one for one in choices if one.right.any() and not one.right.all()]

    def loss(weights: Floats) -> float:
        total = STEADY * len(with_answer) * float(weights @ weights)
        for one in with_answer:
            scores = one.values @ weights
            total += float(np.logaddexp.reduce(scores) - np.logaddexp.reduce(scores[one.right]))
        return total

    found = minimize(loss, np.full(3, 0.3), method="L-BFGS-B", bounds=[(0.0, None)] * 3).x
    return Weights(*(round(float(value), 3) for value in found))


def rate(choices: Sequence[Choice], weights: Weights) -> float:
    """Return in which share of questions the first sentence by ``weights`` holds the answer."""
    numbers = np.array(list(asdict(weights).values()))
    return float(np.mean([len(one.right) > 0 and one.right[np.argmax(one.values @ numbers)] for one in choices]))


def fit(cases: Sequence[Read]) -> Pointing:
    """Return the numbers of one language."""
    lowest = float(np.quantile([case.answered for case in cases], REFUSED_OF_ANSWERED))
    return Pointing(round(lowest, 4), fit_weights([case.choice for case in cases]))


def held_out(cases: Sequence[Read], folds: int = 5) -> float:
    """Return the rate of right sentences by weights of the other questions."""
    rates = []
    for fold in range(folds):
        learned = [case.choice for place, case in enumerate(cases) if place % folds != fold]
        rates.append(rate([case.choice for case in cases[fold::folds]], fit_weights(learned)))
    return float(np.mean(rates))


def report(name: str, cases: Sequence[Read], numbers: Pointing) -> None:
    """Say how often the first sentence is right, by each way, and of which lists something is said."""
    ways = {"words": Weights(1, 0, 0), "evidence": Weights(0, 100, 1), "both": numbers.weights}
    rates = {way: rate([case.choice for case in cases], weights) for way, weights in ways.items()}
    print(name, len(cases), *(f"{way} {100 * value:.1f}" for way, value in rates.items()))
    for kind in ("answered", "near", "far"):
        above = np.array([getattr(case, kind) for case in cases]) >= numbers.least_probability
        print(f"  {kind}: {100 * above.mean():.1f}% are given an answer")


def main() -> None:
    """Read the cases, fit, say what came of it, and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--reranker", default="builtin")
    parser.add_argument("--questions", type=int, default=100, help="dev questions of each set")
    given = parser.parse_args()
    reranker = open_reranker(given.reranker, RerankerOptions())
    fitted = {}
    codes: tuple[Language, ...] = ("zh", "en")
    for code in codes:
        sets = {
            name: [
                read_case(case, reranker, pointing(code).weights)
                for case in read_cases(given.data, name, "dev", given.questions)
            ]
            for name, spoken in SETS.items()
            if spoken == code
        }
        together = [case for cases in zip(*sets.values(), strict=False) for case in cases]
        fitted[code] = fit(together)
        for name, cases in sets.items():
            report(name, cases, fitted[code])
        print(f"{code}, by weights of other questions: {100 * held_out(together):.1f}")
    numbers = {code: asdict(one) for code, one in fitted.items()}
    OUTPUT.write_text(json.dumps(numbers, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
