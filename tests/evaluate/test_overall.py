"""Tasks together: every task counts the same, and questions are drawn within their tasks."""

from __future__ import annotations

import numpy as np
import pytest

from secondpass.evaluate.overall import MeasuredTask, Sampling, macro_intervals, overall_results
from secondpass.evaluate.statistics import bootstrap_interval, estimate
from secondpass.types import Language

SAMPLING = Sampling(2000, 13)


def task(name: str, language: Language, gains: list[float]) -> MeasuredTask:
    base = np.full(len(gains), 0.5)
    values = {"bm25": {"MAP": base}, "lexical": {"MAP": base + np.array(gains)}, "ceiling": {"MAP": base * 2}}
    return MeasuredTask(name, language, "bm25", values, ("lexical",))


def test_a_small_task_counts_as_much_as_a_large_one() -> None:
    tasks = [task("小", "zh", [0.4, 0.4]), task("large", "en", [0.0] * 100)]
    found = {(each.name, each.language): each for each in overall_results(tasks, ["MAP"], SAMPLING)}
    assert found["lexical", ""].measures["MAP"].mean == pytest.approx(0.7)
    assert found["lexical", ""].differences["MAP"].mean == pytest.approx(0.2)
    assert (found["lexical", ""].differences["MAP"].wins, found["lexical", ""].differences["MAP"].ties) == (2, 100)
    assert not found["ceiling", ""].differences
    assert not found["bm25", ""].differences


def test_languages_get_rows_of_their_own_from_two_tasks_on() -> None:
    tasks = [task("一", "zh", [0.1]), task("二", "zh", [0.3, 0.1]), task("one", "en", [0.2])]
    languages = {each.language: each.tasks for each in overall_results(tasks, ["MAP"], SAMPLING)}
    assert languages == {"": 3, "zh": 2}
    assert overall_results(tasks[:1], ["MAP"], SAMPLING) == []


def test_a_system_that_some_tasks_lack_is_compared_on_the_others() -> None:
    without = task("甲", "zh", [0.1])
    del without.values["lexical"]  # type: ignore[attr-defined]
    found = {each.name: each for each in overall_results([without, task("b", "en", [0.3])], ["MAP"], SAMPLING)}
    assert (found["lexical"].tasks, found["bm25"].tasks) == (1, 2)
    assert found["lexical"].differences["MAP"].mean == pytest.approx(0.3)


def test_an_interval_of_one_task_is_that_of_its_questions() -> None:
    values = np.random.default_rng(1).normal(size=(60, 1)) ** 2
    low, high = macro_intervals([values], Sampling(20_000, 2))
    theirs = bootstrap_interval(values[:, 0], draws=20_000)
    assert (low[0], high[0]) == pytest.approx(theirs, abs=0.01)


def test_intervals_of_several_tasks_hold_the_true_mean_as_often_as_they_say() -> None:
    generator = np.random.default_rng(3)
    held = 0
    for trial in range(400):
        tasks = [generator.exponential(size=(count, 1)) for count in (20, 60, 200)]
        low, high = macro_intervals(tasks, Sampling(600, trial))
        held += bool(low[0] <= 1 <= high[0])
    assert 0.91 <= held / 400 <= 0.985


def test_an_overall_interval_ends_where_that_of_one_task_does_and_not_at_the_values_that_were_seen() -> None:
    few = np.array([0.5, 0.5, 0.5, 0.6])
    both = [MeasuredTask(name, "zh", "bm25", {"bm25": {"MAP": few}}, ()) for name in ("一", "二")]
    overall = overall_results(both, ["MAP"], SAMPLING)[0].measures["MAP"]
    one = estimate(few)
    assert one.low <= overall.low < 0.5
    assert overall.high <= one.high < 0.6
    high = [MeasuredTask(name, "zh", "bm25", {"bm25": {"MAP": np.array([0.2, 1, 1])}}, ()) for name in ("一", "二")]
    ends = overall_results(high, ["MAP"], SAMPLING)[0].measures["MAP"]
    assert 0 < ends.low < ends.high == 1
