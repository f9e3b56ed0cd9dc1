"""What the page reads out of a report: who is compared with whom, and what may be said of a difference."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, Literal, TypeAlias

from secondpass.evaluate.records import Difference, OverallResult, Report, SystemResult, TaskResult

Verdict: TypeAlias = Literal["better", "worse", "unclear"]
LEVEL: Final = 0.05
COMPARED: Final = ("first_stage", "fusion", "reranker")
TRIED: Final = ("fusion", "reranker")


def verdict(difference: Difference) -> Verdict:
    """Say what a difference shows: a direction only where its corrected p is below 5%."""
    if not difference.p_holm < LEVEL or difference.mean == 0 or not math.isfinite(difference.mean):
        return "unclear"
    return "better" if difference.mean > 0 else "worse"


def first_measure(report: Report) -> str:
    """Return the name of the measure that is tested and drawn; empty where a report has none."""
    return report.measures[0] if report.measures else ""


def baseline_of(task: TaskResult) -> SystemResult | None:
    """Return the system that the others of a task are held to."""
    return next((system for system in task.systems if system.name == task.baseline), None)


def compared(task: TaskResult, measure: str) -> list[SystemResult]:
    """Return the systems of a task that are held to its baseline, floor and ceiling left out."""
    return [system for system in task.systems if system.kind in COMPARED and measure in system.differences]


def compared_names(tasks: Sequence[TaskResult], measure: str) -> list[str]:
    """Return the names of all systems that are held to a baseline anywhere, in the order of their first coming."""
    return list(dict.fromkeys(system.name for task in tasks for system in compared(task, measure)))


def tried_names(tasks: Sequence[TaskResult]) -> list[str]:
    """Return the names of rerankers and fusions, rerankers first."""
    found: dict[str, list[str]] = {"reranker": [], "fusion": []}
    for task in tasks:
        for system in task.systems:
            if system.kind in TRIED and system.name != task.baseline:
                found[system.kind].append(system.name)
    return list(dict.fromkeys([*found["reranker"], *found["fusion"]]))


def named(task: TaskResult, name: str) -> SystemResult | None:
    """Return the system of that name, one that is held to the baseline before one that is not."""
    found = [system for system in task.systems if system.name == name]
    return next((system for system in found if system.differences), found[0] if found else None)


def overall_of(report: Report, name: str, language: str = "") -> OverallResult | None:
    """Return a system's figures over all tasks, or over those of one language."""
    return next((row for row in report.overall if row.name == name and row.language == language), None)


def question_differences(system: SystemResult, baseline: SystemResult) -> list[tuple[float, str]]:
    """Return ``(difference, query_id)`` of the first measure for the questions that both have, the worst first."""
    shared = [query_id for query_id in system.per_query if query_id in baseline.per_query]
    return sorted((system.per_query[query_id] - baseline.per_query[query_id], query_id) for query_id in shared)
