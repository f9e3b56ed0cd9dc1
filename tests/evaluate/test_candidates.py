"""Which questions are measured, what every system gets to order, and what the digits of a task change with."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.evaluate.small_tasks import make_task

from secondpass.data.tasks import Candidate
from secondpass.errors import InputError
from secondpass.evaluate.candidates import TaskLists
from secondpass.types import StageScore


def test_a_larger_sample_holds_the_smaller_one_in_the_order_of_the_task() -> None:
    task = make_task(60)
    samples = [TaskLists(task, size).query_ids for size in (5, 20, 60)]
    assert [len(found) for found in samples] == [5, 20, 60]
    assert set(samples[0]) < set(samples[1]) < set(samples[2])
    assert samples[1] == [query_id for query_id in task.queries if query_id in samples[1]]
    assert samples[1] != TaskLists(task, 20, seed=14).query_ids
    assert TaskLists(task, 5).of_queries == 60


def test_a_task_without_lists_gets_the_best_of_bm25_over_its_whole_collection() -> None:
    lists = TaskLists(replace(make_task(), candidates={}), top_k=7)
    question = lists.question("q1")
    assert lists.retrieved
    assert len(question.candidates) == 7
    assert question.candidates[0].doc_id in {"d1", "d9", "d17", "d25", "d33", "d41", "d49", "d57"}
    assert [each.score for each in question.candidates] == sorted((c.score for c in question.candidates), reverse=True)


def test_what_is_left_out_is_counted() -> None:
    task = make_task(2)
    listed = (*task.candidates["q0"], Candidate("不在"), task.candidates["q0"][0])
    lists = TaskLists(replace(task, candidates={"q0": listed}, queries={**task.queries, "q9": "没有判断？"}))
    assert lists.dropped == {
        "questions without a judgement": 1,
        "candidates that stand twice in a list": 1,
        "candidates without a text": 1,
    }
    assert lists.question("q0").doc_ids == [each.doc_id for each in task.candidates["q0"]]
    assert lists.with_candidates == ["q0"]
    assert lists.query_ids == ["q0", "q1"]


def test_a_task_of_which_nothing_is_judged_is_refused() -> None:
    with pytest.raises(InputError, match="none of these questions is judged"):
        TaskLists(replace(make_task(), qrels={"another": {"d1": 1}}))


def test_the_digits_change_with_everything_that_is_ordered() -> None:
    task = make_task(3, first_stage="bm25", scored=True)
    first = task.candidates["q0"]
    text = replace(task.passages[first[0].doc_id], text="另一段。")
    stage = (StageScore("bm25", 1, 1.0, "bm25"),)
    changed = [
        task,
        replace(task, queries={**task.queries, "q0": "另一个问题？"}),
        replace(task, passages={**task.passages, first[0].doc_id: text}),
        replace(task, passages={**task.passages, first[0].doc_id: replace(text, title="题目")}),
        replace(task, candidates={**task.candidates, "q0": first[::-1]}),
        replace(task, candidates={**task.candidates, "q0": first[:-1]}),
        replace(task, candidates={**task.candidates, "q0": (replace(first[0], score=-1.0), *first[1:])}),
        replace(task, candidates={**task.candidates, "q0": (replace(first[0], stages=stage), *first[1:])}),
    ]
    assert len({TaskLists(each).candidates_hash for each in changed}) == len(changed)
    assert len({TaskLists(each).question("q1").digest for each in changed}) == 1
    assert TaskLists(task).candidates_hash == TaskLists(make_task(3, first_stage="bm25", scored=True)).candidates_hash
