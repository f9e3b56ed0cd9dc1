"""What a reader of figures should be told: in sentences, beside the figures."""

from __future__ import annotations

from secondpass.evaluate.candidates import TaskLists
from secondpass.evaluate.records import Cost, Difference, SystemResult, TaskResult

SIGNIFICANT = 0.05
_FEW_QUESTIONS = 30
_HIGH_FLOOR = 0.5


def task_notes(lists: TaskLists, result: TaskResult, measure: str) -> list[str]:
    """Return what must be known of a task: what was left out, sampled, made, and how much its figures can say."""
    notes = [f"{count:,} {reason}: left out" for reason, count in lists.dropped.items()]
    if result.of_queries > result.queries:
        notes.append(f"a sample of {result.queries:,} of {result.of_queries:,} questions; intervals are for the sample")
    if lists.retrieved:
        notes.append("the task has no lists of candidates: they are the best passages by our BM25")
    if result.missing:
        notes.append(f"{result.missing:,} questions have no candidates")
    if result.queries < _FEW_QUESTIONS:
        notes.append(f"only {result.queries} questions: intervals are wide, and a difference must be large to be seen")
    floor = next((system for system in result.systems if system.kind == "random"), None)
    if floor is not None and floor.measures[measure].mean > _HIGH_FLOOR:
        listed = result.pairs / max(result.queries - result.missing, 1)
        reached = f"{floor.measures[measure].mean * 100:.1f} {measure} (of 100)"
        notes.append(
            f"a random order already reaches {reached}, because a list has {listed:.1f} passages and "
            f"{result.relevant * 100:.0f}% of them are relevant: high figures say little here"
        )
    return notes


def hurts(difference: Difference | None) -> bool:
    """Tell whether a system is significantly worse than the baseline."""
    return difference is not None and difference.mean < 0 and difference.p_holm < SIGNIFICANT


def system_notes(system: SystemResult, baseline: str, measures: tuple[str, ...]) -> list[str]:
    """Return what must be known of a system: that it hurts, and what its times and scores leave out."""
    worse = [name for name in measures if hurts(system.differences.get(name))]
    notes = []
    if worse:
        said = ", ".join(f"{name} {system.differences[name].mean * 100:+.1f}" for name in worse)
        notes.append(f"worse than {baseline}: {said} (significant)")
    if system.cost is not None:
        notes += _cost_notes(system.cost)
    return notes


def _cost_notes(cost: Cost) -> list[str]:
    notes = []
    if cost.known:
        share = cost.known / (cost.known + cost.pairs)
        notes.append(
            f"{cost.known:,} of {cost.known + cost.pairs:,} scores ({share * 100:.0f}%) came from the score cache; "
            "times are those of questions without any"
        )
    if cost.truncated:
        notes.append(f"of {cost.truncated:,} passages a part was not read")
    return notes
