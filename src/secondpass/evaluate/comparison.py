"""From what was found on tasks to results: intervals, differences with tests, and corrections for many tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from secondpass.evaluate.calibration import calibrate
from secondpass.evaluate.notes import system_notes, task_notes
from secondpass.evaluate.overall import MeasuredTask, Sampling
from secondpass.evaluate.records import Cost, Difference, Estimate, OverallResult, SystemKind, SystemResult, TaskResult
from secondpass.evaluate.statistics import difference, estimate, holm
from secondpass.evaluate.systems import CEILING, RANDOM
from secondpass.evaluate.task_run import TaskRun
from secondpass.text.language import estimate_tokens

_NO_GAIN = 1e-12
Differences = Mapping[str, Difference]


def measured_task(run: TaskRun) -> MeasuredTask:
    """Return what overall figures need of a task."""
    tested = tuple(name for name in run.rows if name != run.baseline)
    return MeasuredTask(run.lists.name, run.language, run.baseline, run.values, tested)


def compare_task(run: TaskRun, measures: Sequence[str], sampling: Sampling, top_n: int) -> TaskResult:
    """Return what was found on a task; p-values are not corrected yet, and what follows from them is not there."""
    lists = run.lists
    relevant, tokens = _of_candidates(run)
    pairs, answered = lists.pairs, len(lists.with_candidates)
    random_tokens = tokens * min(top_n * answered / pairs, 1.0) if pairs else 0.0
    systems = [_system(name, run, measures, sampling) for name in run.rows]
    random = _bound(RANDOM, run, measures, sampling, random_tokens / max(answered, 1))
    ceiling = _bound(CEILING, run, measures, sampling, None)
    result = TaskResult(
        name=lists.name,
        language=run.language,
        baseline=run.baseline,
        queries=len(lists.query_ids),
        of_queries=lists.of_queries,
        passages=len(lists.passages),
        pairs=pairs,
        missing=len(lists.query_ids) - answered,
        relevant=relevant / pairs if pairs else 0.0,
        candidates_hash=lists.candidates_hash,
        systems=(random, *systems, ceiling),
        worst=run.worst,
        candidate_tokens=tokens / max(answered, 1),
    )
    return replace(result, notes=(*task_notes(lists, result, measures[0]), *run.notes))


def _of_candidates(run: TaskRun) -> tuple[int, int]:
    """Return how many candidates are relevant, and the tokens of all."""
    relevant = tokens = 0
    for question in run.lists:
        grades = run.lists.task.qrels[question.query_id]
        for doc_id in question.doc_ids:
            relevant += grades.get(doc_id, 0) > 0
            tokens += estimate_tokens(run.lists.passages[doc_id].text)
    return relevant, tokens


def _bound(
    name: SystemKind, run: TaskRun, measures: Sequence[str], sampling: Sampling, context_tokens: float | None
) -> SystemResult:
    """Return the random order or the ceiling: what no system should be below, and none can be above."""
    words = {RANDOM: "the mean over all orders of the candidates", CEILING: "the best order of the candidates"}
    return SystemResult(
        name=name,
        kind=name,
        scale="rank_only",
        identity=words[name],
        measures=_estimates(run, name, measures, sampling),
        differences={},
        gain_reached={},
        cost=None if context_tokens is None else Cost(None, None, None, 0, 0, context_tokens),
        calibration=None,
        per_query=_per_query(run, name, measures[0]),
    )


def _system(name: str, run: TaskRun, measures: Sequence[str], sampling: Sampling) -> SystemResult:
    row, figures = run.rows[name], run.figures[name]
    tested = name != run.baseline
    differences = {
        measure: difference(figures.values[measure], run.values[run.baseline][measure], sampling.draws, sampling.seed)
        for measure in (measures if tested else ())
    }
    judged = figures.judged
    return SystemResult(
        name=name,
        kind=row.kind,
        scale=figures.scale,
        identity=row.words,
        measures=_estimates(run, name, measures, sampling),
        differences=differences,
        gain_reached={measure: _gain(run, name, measure) for measure in differences},
        cost=figures.cost,
        calibration=calibrate(judged.probabilities, judged.relevant) if judged else None,
        per_query=_per_query(run, name, measures[0]),
        movement=figures.movement,
        notes=row.notes,
        answers={
            measure: estimate(values, sampling.draws, sampling.seed)
            for measure, values in run.answers.get(name, {}).items()
        },
    )


def _estimates(run: TaskRun, name: str, measures: Sequence[str], sampling: Sampling) -> dict[str, Estimate]:
    return {measure: estimate(run.values[name][measure], sampling.draws, sampling.seed) for measure in measures}


def _per_query(run: TaskRun, name: str, measure: str) -> dict[str, float]:
    return dict(zip(run.query_ids, run.values[name][measure].tolist(), strict=True))


def _gain(run: TaskRun, name: str, measure: str) -> float | None:
    """Return the share of the possible gain over the baseline; None where the baseline is at the ceiling."""
    system, baseline, ceiling = (float(run.values[each][measure].mean()) for each in (name, run.baseline, CEILING))
    possible = ceiling - baseline
    return (system - baseline) / possible if possible > _NO_GAIN else None


def correct(
    tasks: Sequence[TaskResult], overall: Sequence[OverallResult], measures: Sequence[str]
) -> tuple[tuple[TaskResult, ...], tuple[OverallResult, ...]]:
    """Return results whose ``p_holm`` is corrected for all tests of a measure in the report, with their notes."""
    corrected = {measure: iter(_holm_of(tasks, overall, measure)) for measure in measures}

    def update(differences: Differences) -> Differences:
        return {name: replace(found, p_holm=next(corrected[name])) for name, found in differences.items()}

    new_tasks = []
    for task in tasks:
        systems = [replace(system, differences=update(system.differences)) for system in task.systems]
        noted = [
            replace(system, notes=(*system.notes, *system_notes(system, task.baseline, tuple(measures))))
            for system in systems
        ]
        new_tasks.append(replace(task, systems=tuple(noted)))
    return tuple(new_tasks), tuple(replace(result, differences=update(result.differences)) for result in overall)


def _holm_of(tasks: Sequence[TaskResult], overall: Sequence[OverallResult], measure: str) -> list[float]:
    found = [system.differences for task in tasks for system in task.systems]
    found += [result.differences for result in overall]
    return holm([differences[measure].p_value for differences in found if measure in differences])
