"""What a run is measured on: lists of passages with grades, the same before, during and after."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from secondpass.data.tasks import RankingTask
from secondpass.data.training import TrainExample
from secondpass.evaluate.measures import measure_orders, parse_measure
from secondpass.train.losses import Groups, group_softmax
from secondpass.types import FloatArray

MEASURES = ("nDCG@10", "MRR@10")


@dataclass(frozen=True, slots=True)
class DevList:
    """One question with the passages to order, as they came, and the grade of each."""

    query_id: str
    query: str
    passages: tuple[str, ...]
    grades: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Measured:
    """How a model stands: means over questions, every question's value, and how far scores lie apart.

    ``loss``: that of `group_softmax`, whatever was learnt by; ``line``: the same of scores all alike. ``spread``: the
    mean over questions of the standard deviation of a question's scores; near 0 where nothing was learnt, 1 and more
    where something was.
    """

    means: dict[str, float]
    per_query: dict[str, dict[str, float]]
    loss: float
    line: float
    spread: float


def lists_of_task(task: RankingTask) -> list[DevList]:
    """Return the questions of a task that have a relevant passage among their candidates, and another one."""
    lists = []
    for query_id, candidates in task.candidates.items():
        grades = task.qrels.get(query_id, {})
        given = [max(0, grades.get(candidate.doc_id, 0)) for candidate in candidates]
        if any(given) and not all(given):
            texts = tuple(task.passages[candidate.doc_id].text for candidate in candidates)
            lists.append(DevList(query_id, task.queries[query_id], texts, tuple(given)))
    return lists


def lists_of_examples(examples: Iterable[TrainExample], seed: int) -> list[DevList]:
    """Return examples as lists, their passages in an order drawn at random: a tie favours nobody."""
    lists: list[DevList] = []
    for number, example in enumerate(examples):
        texts = [*example.positives, *example.negatives]
        grades = [1] * len(example.positives) + [0] * len(example.negatives)
        order = np.random.default_rng((seed, number)).permutation(len(texts))
        if example.positives and example.negatives:
            lists.append(
                DevList(str(number), example.query, tuple(texts[i] for i in order), tuple(grades[i] for i in order))
            )
    return lists


def drawn(lists: Sequence[DevList], most: int, seed: int) -> list[DevList]:
    """Return up to ``most`` of the lists, drawn at random, in their order."""
    if len(lists) <= most:
        return list(lists)
    chosen = np.random.default_rng((seed, len(lists))).choice(len(lists), most, replace=False)
    return [lists[place] for place in sorted(chosen)]


def measure(lists: Sequence[DevList], scores: Sequence[FloatArray], names: Sequence[str] = MEASURES) -> Measured:
    """Say how good the orders are that ``scores`` (float32 [N] for each list) give."""
    orders: dict[str, list[str]] = {}
    qrels: dict[str, dict[str, int]] = {}
    for one, given in zip(lists, scores, strict=True):
        orders[one.query_id] = [str(place) for place in np.argsort(-given, kind="stable")]
        qrels[one.query_id] = {str(place): grade for place, grade in enumerate(one.grades)}
    values: dict[str, Any] = measure_orders([parse_measure(name) for name in names], orders, qrels)
    means = {name: float(np.mean(list(found.values()))) if found else 0.0 for name, found in values.items()}
    losses = [_loss(given, one.grades) for one, given in zip(lists, scores, strict=True)]
    lines = [_loss(np.zeros_like(given), one.grades) for one, given in zip(lists, scores, strict=True)]
    return Measured(means, values, _mean(losses), _mean(lines), _mean([float(given.std()) for given in scores]))


def _loss(scores: FloatArray, grades: Sequence[int]) -> float:
    values = torch.from_numpy(scores)[None]
    groups = Groups(values, torch.ones_like(values, dtype=torch.bool), torch.tensor([grades]).float())
    return float(group_softmax(groups)[0])


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else 0.0
