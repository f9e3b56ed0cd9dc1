"""A line of mixes between a base and a fine-tuned model, measured: what is gained in the domain and kept elsewhere.

theta(w) = (1 - w) theta_base + w theta_tuned: the line of WiSE-FT (arXiv:2109.01903), which LM-Cocktail
(arXiv:2311.13534) takes for retrievers. The mixes are made one at a time and removed when they are measured.
"""

from __future__ import annotations

import importlib
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from secondpass.errors import InputError
from secondpass.evaluate.candidates import TaskLists
from secondpass.evaluate.measures import measure_orders, parse_measure
from secondpass.evaluate.statistics import bootstrap_interval, paired_test
from secondpass.merge.merging import MergePlan, WriteOptions, plan_merge, write_merge
from secondpass.merge.methods import Mix
from secondpass.merge.parents import Parent
from secondpass.models.engine_cache import graphs_folder
from secondpass.models.weight_files import fingerprint
from secondpass.rerank.options import RerankerOptions
from secondpass.rerank.pairs import PairReranker
from secondpass.types import Json

WEIGHTS = tuple(step / 10 for step in range(11))
MEASURE = "nDCG@10"
Advance = Callable[[str, int, int], None]
"""Hears what is measured, and how many questions of how many are done, over all points."""


def no_advance(what: str, done: int, total: int) -> None:
    """Hear nothing."""


@dataclass(frozen=True, slots=True)
class SweepOptions:
    """How a line is measured.

    ``general_loss``: by how much the measure may fall on the general task, from the base's. ``work``: where mixes are
    written for as long as they are measured (None: the system's place for temporary files).
    """

    weights: tuple[float, ...] = WEIGHTS
    measure: str = MEASURE
    general_loss: float = 0.01
    reranker: RerankerOptions = field(default_factory=RerankerOptions)
    work: Path | None = None


@dataclass(frozen=True, slots=True)
class TaskValue:
    """The measure of one mix on one task: the mean, its 95% interval, and by how much it is above the base.

    ``p_value``: two-sided paired randomisation test against the base (1: the base itself).
    """

    mean: float
    low: float
    high: float
    gain: float
    p_value: float


@dataclass(frozen=True, slots=True)
class SweepPoint:
    """One mix: the fine-tuned model's weight, and what was measured; ``allowed``: little enough is lost elsewhere."""

    weight: float
    target: TaskValue
    general: TaskValue | None
    allowed: bool


@dataclass(frozen=True, slots=True)
class Sweep:
    """A measured line, and the weight that is best on the target among those allowed (the smallest of equals)."""

    base: str
    tuned: str
    measure: str
    target: str
    general: str | None
    questions: Mapping[str, int]
    general_loss: float
    points: tuple[SweepPoint, ...]
    chosen: float
    notes: tuple[str, ...]

    @property
    def best(self) -> SweepPoint:
        """The chosen point."""
        return next(point for point in self.points if point.weight == self.chosen)


Values = dict[str, float]


def sweep(
    base: Parent,
    tuned: Parent,
    tasks: Sequence[TaskLists],
    options: SweepOptions | None = None,
    advance: Advance = no_advance,
) -> Sweep:
    """Measure the line from ``base`` to ``tuned`` on the target, ``tasks[0]``, and the general task, if there is one.

    Raises:
        InputError: the models cannot be merged, or are none that score passages; a weight is not from 0 to 1.
    """
    options = options or SweepOptions()
    if adapter := next((model for model in (base, tuned) if model.kind == "adapter"), None):
        raise InputError(
            f"{adapter.name} is a LoRA adapter, which scores nothing by itself; merge it into its model first."
        )
    weights = _checked(options.weights)
    plan = plan_merge((base, tuned), Mix((0.5, 0.5)))
    line = _Line(plan, tasks, options, advance, len(weights))
    values = {weight: line.measured(weight) for weight in weights}
    points = tuple(_point(weight, values, options.general_loss) for weight in weights)
    allowed = [point for point in points if point.allowed]
    chosen = max(allowed, key=lambda point: (round(point.target.mean, 9), -point.weight))
    return Sweep(
        base.name, tuned.name, options.measure, tasks[0].name, tasks[1].name if tasks[1:] else None,
        {task.name: len(task.query_ids) for task in tasks}, options.general_loss, points, chosen.weight,
        (*plan.notes, *plan.warnings),
    )  # fmt: skip


def chosen_plan(base: Parent, tuned: Parent, found: Sweep, options: WriteOptions) -> MergePlan:
    """Return the plan of the mix that a sweep chose."""
    best = found.best
    measured: dict[str, Json] = {found.target: best.target.mean}
    if found.general and best.general:
        measured[found.general] = best.general.mean
    record: dict[str, Json] = {
        "sweep": {"measure": found.measure, "weights": [point.weight for point in found.points], "at": measured}
    }
    return plan_merge((base, tuned), Mix((1 - best.weight, best.weight)), None, options, record)


def _checked(weights: Sequence[float]) -> list[float]:
    if not all(0 <= weight <= 1 for weight in weights):
        raise InputError("A sweep goes from the base (0) to the fine-tuned model (1); accepted are weights in between.")
    return sorted({0.0, *weights, 1.0})  # the ends are what everything is held to


class _Line:
    """Makes the mixes one after another, and measures each on every task."""

    def __init__(
        self, plan: MergePlan, tasks: Sequence[TaskLists], options: SweepOptions, advance: Advance, points: int
    ) -> None:
        self._plan, self._tasks, self._options, self._advance = plan, tasks, options, advance
        self._done, self._total = 0, points * sum(len(task.with_candidates) for task in tasks)

    def measured(self, weight: float) -> list[Values]:
        """Return ``{query_id: value}`` of every task."""
        if weight in {0.0, 1.0}:
            return self._measure(self._plan.parents[int(weight)].folder, weight)
        with tempfile.TemporaryDirectory(prefix="secondpass-sweep-", dir=self._options.work) as place:
            mixed = replace(self._plan, method=Mix((1 - weight, weight)))
            folder = write_merge(mixed, Path(place) / f"mix-{weight:g}")
            try:
                return self._measure(folder, weight)
            finally:
                _forget_graphs(folder)

    def _measure(self, folder: Path, weight: float) -> list[Values]:
        models: Any = importlib.import_module("secondpass.rerank.model_names")
        reranker = models.open_model(str(folder), self._options.reranker)
        if not isinstance(reranker, PairReranker):
            raise InputError(
                f"{folder} compares passages with each other; accepted are models that score one at a time."
            )
        return [self._of_task(reranker, task, weight) for task in self._tasks]

    def _of_task(self, reranker: PairReranker, task: TaskLists, weight: float) -> Values:
        orders = {}
        for question in task:
            texts = [task.passages[doc_id].text for doc_id in question.doc_ids]
            scores = reranker.score_texts(question.query, texts)
            order = sorted(range(len(texts)), key=lambda index: -scores[index].score)
            orders[question.query_id] = [question.doc_ids[index] for index in order]
            self._done += 1
            self._advance(f"weight {weight:g}, {task.name}", self._done, self._total)
        measure = parse_measure(self._options.measure)
        return measure_orders([measure], orders, task.qrels)[str(measure)]


def _forget_graphs(folder: Path) -> None:
    """Remove the graphs that an engine made of a mix that nobody will open again."""
    for graph in graphs_folder().glob(f"{fingerprint(folder)}-*"):
        shutil.rmtree(graph, ignore_errors=True)


def _point(weight: float, values: Mapping[float, list[Values]], general_loss: float) -> SweepPoint:
    found = [_value(one, first) for one, first in zip(values[weight], values[0.0], strict=True)]
    general = found[1] if found[1:] else None
    return SweepPoint(weight, found[0], general, general is None or general.gain >= -general_loss - 1e-12)


def _value(values: Values, base: Values) -> TaskValue:
    numbers = np.array(list(values.values()))
    differences = numbers - np.array([base[query_id] for query_id in values])
    low, high = bootstrap_interval(numbers)
    p_value = float(paired_test(differences)) if differences.any() else 1.0
    return TaskValue(float(numbers.mean()), float(low), float(high), float(differences.mean()), p_value)
