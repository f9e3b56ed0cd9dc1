"""One task: work out every system's orders, then measure them all against one baseline."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from secondpass.config import reader_of
from secondpass.data.tasks import RankingTask
from secondpass.errors import InputError
from secondpass.evaluate.answering import make_answering, measure_answers
from secondpass.evaluate.candidates import QuestionList, TaskLists
from secondpass.evaluate.expectation import expected_values
from secondpass.evaluate.first_stages import (
    BM25,
    FUSION,
    GIVEN,
    BM25Order,
    DenseOrder,
    FirstStage,
    GivenOrder,
    fuse,
    fusion_method,
)
from secondpass.evaluate.measures import Measure
from secondpass.evaluate.options import EvaluationOptions
from secondpass.evaluate.outcomes import Outcome
from secondpass.evaluate.records import SystemKind, WorseQuery
from secondpass.evaluate.running import Column, Desk, work_out_reranker, work_out_stage
from secondpass.evaluate.summary import Figures, Measuring, Values, best_order, measure_column, measure_orders_of
from secondpass.evaluate.systems import CEILING, RANDOM, OpenedSystem, RunSystem
from secondpass.evaluate.worst import worst_questions
from secondpass.text.language import language
from secondpass.types import Language


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """A system of a task that gives orders: where they come from, and what it is in words."""

    kind: SystemKind
    column: Column
    words: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class TaskRun:
    """What was found on one task, before anything is compared.

    ``values``: of every system, for the questions ``query_ids``. ``answers``: measures of the answers made of its first
    passages, where answers are evaluated.
    """

    lists: TaskLists
    language: Language
    baseline: str
    rows: Mapping[str, Row]
    figures: Mapping[str, Figures]
    values: Mapping[str, Values]
    answers: Mapping[str, Values]
    worst: tuple[WorseQuery, ...]
    notes: tuple[str, ...]
    query_ids: tuple[str, ...]


def run_task(
    task: RankingTask,
    systems: Sequence[OpenedSystem | RunSystem],
    measures: Sequence[Measure],
    options: EvaluationOptions,
    desk: Desk,
) -> TaskRun:
    """Work out and measure every system on ``task``.

    Raises:
        InputError: the task has nothing to measure, or not the first stage or the baseline that was asked for.
    """
    desk.progress.message(f"{task.name}: reading its lists")
    lists = TaskLists(task, options.sample, options.seed, options.top_k)
    stages = _first_stages(lists, options)
    rows: dict[str, Row] = {
        name: Row("first_stage", _stage_column(lists, stage, desk), stage.words) for name, stage in stages.items()
    }
    notes = _add_fusion(rows, lists)
    arrival = _arrival(lists, stages, options)
    for system in systems:
        if system.name in rows:
            raise InputError(f"The run {system.name!r} has the name of a first stage of {lists.name!r}; rename it.")
        rows[system.name] = _row(lists, system, rows, arrival, desk)
    baseline = options.baseline or arrival or next(iter(rows), "")
    if baseline not in rows:
        raise InputError(
            f"The baseline {baseline!r} is no system of the task {lists.name!r}; there are: {', '.join(rows)}."
        )
    answers: dict[str, Values] = {}
    if options.answers:
        readers = {one.name: reader_of(one.reranker) for one in systems if isinstance(one, OpenedSystem)}
        for name, row in rows.items():
            answering = make_answering(options.llm, options.top_n, readers.get(name))
            answers[name] = measure_answers(lists, name, row.column, answering, desk)
    desk.progress.message(f"{lists.name}: measuring")
    measuring = Measuring(lists, measures, options.missing, options.ties, options.top_n, rows[baseline].column)
    figures = {name: measure_column(row.column, measuring) for name, row in rows.items()}
    values = _with_bounds(measuring, figures)
    worst = _worst(measuring, rows, values, baseline, options.worst)
    query_ids = tuple(measuring.meter().query_ids)
    return TaskRun(lists, _language(lists), baseline, rows, figures, values, answers, worst, tuple(notes), query_ids)


def _with_bounds(measuring: Measuring, figures: Mapping[str, Figures]) -> dict[str, Values]:
    """Return the values of all systems, between those of a random order and of the best one."""
    grades = measuring.lists.task.qrels
    best = measure_orders_of(lambda question: best_order(question, grades[question.query_id]), measuring)
    return {
        RANDOM: expected_values(measuring),
        **{name: found.values for name, found in figures.items()},
        CEILING: best,
    }


def _worst(
    measuring: Measuring, rows: Mapping[str, Row], values: Mapping[str, Values], baseline: str, count: int
) -> tuple[WorseQuery, ...]:
    return tuple(
        query
        for name, row in rows.items()
        if row.kind == "reranker" and name != baseline
        for query in worst_questions(name, row.column, values[name], values[baseline], measuring, count)
    )


def _first_stages(lists: TaskLists, options: EvaluationOptions) -> dict[str, FirstStage]:
    stages: list[FirstStage] = []
    if not lists.retrieved and (lists.task.first_stage or options.first_stage == GIVEN):
        stages.append(GivenOrder(lists))
    if any(passage.text for passage in lists.passages.values()):
        stages.append(BM25Order(lists))
        if options.embedder:
            stages.append(DenseOrder(lists, options.embedder))
    return {stage.name: stage for stage in stages}


def _arrival(lists: TaskLists, stages: Mapping[str, FirstStage], options: EvaluationOptions) -> str | None:
    """Return the first stage from which rerankers get the candidates; None where there is none."""
    if options.first_stage is None:
        return next(iter(stages), None)
    if options.first_stage not in stages:
        why = {
            "dense": "no embedder was named (--embedder NAME)",
            GIVEN: "it has no lists of candidates",
            BM25: "its passages have no texts",
        }
        raise InputError(
            f"The task {lists.name!r} has no first stage {options.first_stage!r}: {why[options.first_stage]}."
        )
    return options.first_stage


def _stage_column(lists: TaskLists, stage: FirstStage, desk: Desk) -> Column:
    """Return a first stage's outcomes; those of the given order cost nothing, and are not kept."""
    if isinstance(stage, GivenOrder):
        return Column(stage.key, stage.outcome)
    return work_out_stage(lists, stage, desk)


def _add_fusion(rows: dict[str, Row], lists: TaskLists) -> list[str]:
    """Add the fusion of the first stages, with nothing trained; return a note where there is none to fuse."""
    fused = dict(rows)
    if GIVEN in fused and BM25 in fused and "bm25" in lists.task.first_stage.lower():
        del fused[BM25]  # two forms of one stage
    if len(fused) < 2:
        only = f"there is one first stage ({', '.join(fused)})" if fused else "there is no first stage"
        return [f"no fusion of first stages: {only}; --embedder NAME adds another"]

    def outcome(question: QuestionList) -> Outcome:
        stages = {name: row.column.outcome(question) for name, row in fused.items()}
        return fuse(question, lists.passages, stages)

    key = "\0".join([FUSION, *(row.column.key for row in fused.values())])
    first = next(iter(lists), None)
    method = fusion_method({name: row.column.outcome(first) for name, row in fused.items()}) if first else "zscore"
    words = {"zscore": "sum of z-scores", "rrf": "sum of reciprocal ranks"}[method]
    rows[FUSION] = Row("fusion", Column(key, outcome), f"{words} of {' and '.join(fused)}, nothing trained")
    return []


def _row(
    lists: TaskLists, system: OpenedSystem | RunSystem, rows: Mapping[str, Row], arrival: str | None, desk: Desk
) -> Row:
    if isinstance(system, RunSystem):
        return Row("reranker", Column(f"run\0{system.name}", _from_run(system)), "a run that was given")
    if arrival is None:
        raise InputError(f"The task {lists.name!r} has no first stage that {system.name!r} could rerank.")
    column = work_out_reranker(lists, system, arrival, rows[arrival].column, desk)
    notes = () if system.kept else ("nothing says what its order depends on: it is worked out anew each time",)
    return Row("reranker", column, f"{system.words}; candidates from {arrival}", notes)


def _from_run(system: RunSystem) -> Callable[[QuestionList], Outcome]:
    def outcome(question: QuestionList) -> Outcome:
        places = {doc_id: place for place, doc_id in enumerate(question.doc_ids)}
        found = [item for item in system.run.get(question.query_id, {}).items() if item[0] in places]
        found.sort(key=lambda item: -item[1])
        positions = np.array([places[doc_id] for doc_id, _ in found], np.uint32)
        return Outcome(positions, np.array([score for _, score in found], np.float64), "unknown")

    return outcome


def _language(lists: TaskLists) -> Language:
    """Return the language of most questions."""
    found = Counter(language(lists.task.queries[query_id]) for query_id in lists.query_ids[:1000])
    return found.most_common(1)[0][0]
