"""Fit the weights of the lexical reranker and write src/secondpass/rerank/lexical.json.

    python -m recipes.lexical.fit --data ../shared/data

Everything in one run (some minutes on one core), the same file every time. Per language: weights that make the
relevant passages of a list likely (softmax over the list, the loss of ListNet, Cao et al. 2007, with one term per
relevant passage), then slopes and constants that turn sums into log-odds (Platt 1999), fitted on lists that the weights
have not seen. What a first stage's BM25 adds has a weight set by hand (the same reason as for LEAST_BM25) and fitted
constants, so that log-odds with and without it mean the same.
"""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from recipes.lexical.lists import TrainList, question_lists, topic_lists
from recipes.sets import QUESTION_SETS
from scipy.optimize import minimize

from secondpass.rerank.lexical import bm25_share, topic_share
from secondpass.rerank.lexical_features import FEATURES, compute_features
from secondpass.rerank.lexical_question import read_question

OUTPUT = Path(__file__).parents[2] / "src/secondpass/rerank/lexical.json"
NAMES = list(FEATURES)
PENALTY = 1e-3  # on the squares of the weights of standardised features
GATE = {"en": (6, 14), "zh": (18, 45)}  # terms: a question of up to the first is a question, from the second a topic
# Lists of BM25's best teach too little of BM25 (whatever is in them has a high score), so it gets a least weight.
LEAST_BM25 = {"question": 0.5, "topic": 3.0}
FALLING = {"numbers_missing"}  # more of it never means more relevant; all others never mean less
ECHO = -4.0  # log-odds; set by hand: no training list holds passages that only repeat the question
AFTER_BM25 = 4.0  # flat between 2 and 8 on the dev sets: docs/log.md
FOLDS = 5


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """All lists of a language: values [N, F]; topic share, relevance, BM25 share [N]; first rows, weights [Q]."""

    values: np.ndarray
    topic: np.ndarray
    relevant: np.ndarray
    bm25: np.ndarray
    starts: np.ndarray
    weights: np.ndarray
    tasks: list[str]

    @property
    def sizes(self) -> np.ndarray:
        return np.diff(np.append(self.starts, len(self.values)))

    def part(self, chosen: np.ndarray) -> "Table":
        """Return some of the lists; ``chosen`` is bool [Q]."""
        rows = np.repeat(chosen, self.sizes)
        sizes = self.sizes[chosen]
        tasks = [task for task, keep in zip(self.tasks, chosen, strict=True) if keep]
        starts = np.cumsum(sizes) - sizes
        per_row = (self.values[rows], self.topic[rows], self.relevant[rows], self.bm25[rows])
        return Table(*per_row, starts, self.weights[chosen], tasks)


def make_table(lists: list[TrainList], language: str) -> Table:
    """Compute the features; every task weighs by the root of its size."""
    values, topic, relevant, bm25 = [], [], [], []
    for item in lists:
        question = read_question(item.query)
        bm25.append(np.nan_to_num(bm25_share(item.query, item.bm25)))
        values.append(compute_features(question, item.passages).values)
        topic.append(np.full(len(item.passages), topic_share(question, *GATE[language])))
        relevant.append(np.array(item.relevant, float))
    sizes = np.array([len(block) for block in values])
    tasks = [item.task for item in lists]
    weights = np.array([1 / np.sqrt(tasks.count(task)) for task in tasks])
    starts = np.cumsum(sizes) - sizes
    per_row = [np.concatenate(part) for part in (values, topic, relevant, bm25)]
    return Table(*per_row, starts, weights, tasks)


LEARNT = [index for index, name in enumerate(NAMES) if name != "echo"]


def _design(table: Table) -> np.ndarray:
    """Return the learnt features twice: times the share of question, times the share of topic."""
    values, topic = table.values[:, LEARNT], table.topic[:, None]
    return np.concatenate([values * (1 - topic), values * topic], axis=1)


def _bounds(name: str, part: str) -> tuple[float | None, float | None]:
    if name == "length":
        return (None, None) if part == "question" else (0.0, 0.0)  # for topics, BM25 knows best what length means
    if name in FALLING:
        return None, 0.0
    return (LEAST_BM25[part] if name == "bm25" else 0.0), None


def fit_weights(table: Table) -> np.ndarray:
    """Return weights for questions and topics, float64 [2, F]."""
    design = _design(table)
    spread = design.std(axis=0) + 1e-6
    design = design / spread
    sizes, starts = table.sizes, table.starts
    share = table.relevant / np.maximum(np.repeat(np.add.reduceat(table.relevant, starts), sizes), 1)
    list_weight = table.weights / table.weights.sum()

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        scores = design @ weights
        peak = np.maximum.reduceat(scores, starts)
        exponents = np.exp(scores - np.repeat(peak, sizes))
        total = np.add.reduceat(exponents, starts)
        likelihood = np.add.reduceat(share * scores, starts) - peak - np.log(total)
        gradient = design.T @ ((exponents / np.repeat(total, sizes) - share) * np.repeat(list_weight, sizes))
        value = -float(likelihood @ list_weight) + PENALTY * float(weights @ weights)
        return value, gradient + 2 * PENALTY * weights

    bounds = [_bounds(NAMES[index], part) for part in ("question", "topic") for index in LEARNT]
    start = np.array([low or 0.0 for low, _ in bounds])
    found = minimize(loss, start, jac=True, bounds=bounds, method="L-BFGS-B", options={"maxiter": 500})
    out = np.zeros((2, len(NAMES)))
    out[:, LEARNT] = (found.x / spread).reshape(2, -1)
    return out


def parts(table: Table, weights: np.ndarray) -> np.ndarray:
    """Return what a passage gets as an answer, as part of a topic, and both constants, float64 [N, 4]."""
    question, topic = 1 - table.topic, table.topic
    return np.stack(
        [(table.values @ weights[0]) * question, (table.values @ weights[1]) * topic, question, topic], axis=1
    )


def calibrate(table: Table) -> np.ndarray:
    """Return slopes and constants, each for questions and for topics, from lists held out in turn; float64 [4]."""
    fold = np.arange(len(table.starts)) % FOLDS
    design = np.zeros((len(table.values), 4))
    for number in range(FOLDS):
        held_out = fold == number
        weights = fit_weights(table.part(~held_out))
        design[np.repeat(held_out, table.sizes)] = parts(table.part(held_out), weights)
    row_weight = np.repeat(table.weights, table.sizes)
    row_weight = row_weight / row_weight.sum()

    def loss(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        logits = design @ parameters
        value = float((np.logaddexp(0, logits) - table.relevant * logits) @ row_weight)
        return value, design.T @ ((1 / (1 + np.exp(-logits)) - table.relevant) * row_weight)

    return minimize(loss, np.array([1.0, 1.0, -3.0, -3.0]), jac=True, method="L-BFGS-B").x


def fit_after_bm25(table: Table, logits: np.ndarray) -> dict[str, float]:
    """Return the weight of a first stage's BM25, and constants that keep the log-odds honest beside it."""
    logits = logits + AFTER_BM25 * table.bm25
    design = np.stack([1 - table.topic, table.topic], axis=1)
    row_weight = np.repeat(table.weights, table.sizes)
    row_weight = row_weight / row_weight.sum()

    def loss(constants: np.ndarray) -> tuple[float, np.ndarray]:
        shifted = logits + design @ constants
        value = float((np.logaddexp(0, shifted) - table.relevant * shifted) @ row_weight)
        return value, design.T @ ((1 / (1 + np.exp(-shifted)) - table.relevant) * row_weight)

    question, topic = minimize(loss, np.zeros(2), jac=True, method="L-BFGS-B").x
    return {
        "weight": AFTER_BM25,
        "question_constant": round(float(question), 3),
        "topic_constant": round(float(topic), 3),
    }


def _row(values: np.ndarray, constant: float) -> dict[str, float]:
    return {"constant": round(constant, 3)} | {
        name: round(float(value), 3) for name, value in zip(NAMES, values, strict=True)
    }


def fit_language(data: Path, language: str) -> dict[str, dict[str, float]]:
    """Fit one language and return its part of the file."""
    lists = [item for name in QUESTION_SETS for item in question_lists(data, name) if item.language == language]
    lists += topic_lists(data, language)
    table = make_table(lists, language)
    weights = fit_weights(table)
    *slopes, question_constant, topic_constant = calibrate(table)
    weights = weights * np.array(slopes)[:, None]
    weights[:, NAMES.index("echo")] = ECHO
    logits = parts(table, weights) @ [1.0, 1.0, question_constant, topic_constant]
    for task in dict.fromkeys(table.tasks):
        chosen = np.array([name == task for name in table.tasks])
        rows = np.repeat(chosen, table.sizes)
        part = table.part(chosen)
        first = [
            part.relevant[start + int(np.argmax(logits[rows][start : start + size]))]
            for start, size in zip(part.starts, part.sizes, strict=True)
        ]
        print(f"{task}: {len(part.starts)} lists, relevant first in {np.mean(first):.1%}")
    return {
        "terms": {"question": GATE[language][0], "topic": GATE[language][1]},
        "question": _row(weights[0], question_constant),
        "topic": _row(weights[1], topic_constant),
        "after_bm25": fit_after_bm25(table, logits),
    }


def main() -> None:
    """Fit both languages and write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    arguments = parser.parse_args()
    languages = {language: fit_language(arguments.data, language) for language in ("en", "zh")}
    table = {
        "made_by": "recipes/lexical/fit.py",
        "learnt_from": QUESTION_SETS | {"headings and pages of unlabelled text": "see recipes/sets.py"},
        "scale": "log-odds that a passage is relevant, in lists of about 30 from a first stage",
        "features": FEATURES,
        "languages": languages,
    }
    OUTPUT.write_text(json.dumps(table, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    print(f"{OUTPUT}: {OUTPUT.stat().st_size} bytes")


if __name__ == "__main__":
    main()
