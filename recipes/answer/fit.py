"""Fit the weights by which sentences are chosen as answers, and the threshold of "not found"; write weights.json.

    python -m recipes.answer.fit --data ../shared/data

Sentences: a softmax over all sentences of a question's passages, the log of the share of those that hold the answer
(of the passage that answers) is maximised, with an L2 penalty on standardised weights. Support: a logistic regression
of answered lists against near and far ones. Threshold: so that few of the answered train questions are refused.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from recipes.answer.cases import SETS, Case, read_cases, says
from scipy.optimize import minimize

from secondpass.answer.evidence import SUPPORT_FEATURES, sentence_features, support_features
from secondpass.answer.features import FEATURES, Passage, read_hits
from secondpass.answer.question import Question, read_question

OUTPUT = Path(__file__).parents[2] / "src/secondpass/answer/weights.json"
PENALTY = 1e-3
REFUSED_OF_ANSWERED = 0.05


@dataclass(frozen=True, slots=True)
class Listed:
    passages: list[Passage]
    values: np.ndarray  # [N, F]


@dataclass(frozen=True, slots=True)
class Example:
    question: Question
    holds_answer: np.ndarray  # [N]
    answered: Listed
    unanswered: tuple[Listed, ...]


def read_example(case: Case) -> Example | None:
    question, passages = read_question(case.query), read_hits(case.answered)
    places, values = sentence_features(question, passages)
    holds = [p.rank == case.gold_rank and says(p.sentences[place].text, case.answers) for p, place in places]
    if not any(holds):
        return None
    unanswered = []
    for hits in (case.near, case.far):
        wrong = read_hits(hits)
        wrong_values = sentence_features(question, wrong)[1]
        if len(wrong_values):
            unanswered.append(Listed(wrong, wrong_values))
    return Example(question, np.array(holds), Listed(passages, values), tuple(unanswered))


def fit_sentences(examples: list[Example]) -> np.ndarray:
    values = np.concatenate([example.answered.values for example in examples])
    good = np.concatenate([example.holds_answer for example in examples])
    deviation = values.std(0) + 1e-6
    scaled = (values - values.mean(0)) / deviation
    lengths = [len(example.answered.values) for example in examples]
    owner = np.repeat(np.arange(len(examples)), lengths)
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        scores = scaled @ weights
        grown = np.exp(scores - np.maximum.reduceat(scores, starts)[owner])
        total = np.add.reduceat(grown, starts)
        right = np.add.reduceat(grown * good, starts) + 1e-12
        gradient = scaled.T @ (grown / total[owner] - grown * good / right[owner]) / len(examples)
        return (
            float(-np.log(right / total).mean() + PENALTY * weights @ weights),
            gradient + 2 * PENALTY * weights,
        )

    return minimize(loss, np.zeros(values.shape[1]), jac=True, method="L-BFGS-B").x / deviation


def fit_support(answered: np.ndarray, unanswered: np.ndarray) -> tuple[np.ndarray, float]:
    values = np.concatenate([answered, unanswered])
    good = np.repeat([1.0, 0.0], [len(answered), len(unanswered)])
    share = np.where(good > 0, 0.5 / len(answered), 0.5 / len(unanswered))
    mean, deviation = values.mean(0), values.std(0) + 1e-6
    scaled = np.c_[(values - mean) / deviation, np.ones(len(values))]

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        scores = scaled @ weights
        chance = 1 / (1 + np.exp(-scores))
        penalised = np.r_[weights[:-1], 0.0]
        value = (share * np.logaddexp(0, np.where(good > 0, -scores, scores))).sum() + PENALTY * penalised @ penalised
        return float(value), scaled.T @ (share * (chance - good)) + 2 * PENALTY * penalised

    fitted = minimize(loss, np.zeros(scaled.shape[1]), jac=True, method="L-BFGS-B").x
    weights = fitted[:-1] / deviation
    return weights, float(fitted[-1] - mean @ weights)


def support_of(question: Question, listed: Listed, sentence: np.ndarray) -> np.ndarray:
    return support_features(question, listed.passages, listed.values, listed.values @ sentence)


def fit_language(examples: list[Example]) -> dict[str, object]:
    sentence = fit_sentences(examples)
    answered = np.array([support_of(e.question, e.answered, sentence) for e in examples])
    unanswered = np.array([support_of(e.question, listed, sentence) for e in examples for listed in e.unanswered])
    support, bias = fit_support(answered, unanswered)
    logits = answered @ support + bias
    threshold = 1 / (1 + np.exp(-np.quantile(logits, REFUSED_OF_ANSWERED)))
    return {
        "sentence": {name: round(float(value), 3) for name, value in zip(FEATURES, sentence, strict=True)},
        "support": {name: round(float(value), 3) for name, value in zip(SUPPORT_FEATURES, support, strict=True)},
        "bias": round(bias, 3),
        "threshold": round(float(threshold), 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--questions", type=int, default=2500, help="of each set")
    arguments = parser.parse_args()
    fitted: dict[str, object] = {
        "made_by": "recipes/answer/fit.py on the train splits of SQuAD 1.1, CMRC 2018 and DRCD"
    }
    for code in ("en", "zh"):
        examples: list[Example] = []
        for name in (name for name, spoken in SETS.items() if spoken == code):
            cases = read_cases(arguments.data, name, "train", arguments.questions)
            examples += [example for case in cases if (example := read_example(case))]
            print(f"{name}: {len(cases)} questions")
        fitted[code] = fit_language(examples)
    OUTPUT.write_text(json.dumps(fitted, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"{OUTPUT} written")


if __name__ == "__main__":
    main()
