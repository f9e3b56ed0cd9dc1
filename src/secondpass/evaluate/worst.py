"""The questions that a reranker made worse, with their passages: figures say how much, reading says why."""

from __future__ import annotations

import numpy as np

from secondpass.evaluate.candidates import QuestionList
from secondpass.evaluate.records import MovedPassage, WorseQuery
from secondpass.evaluate.running import Column
from secondpass.evaluate.summary import Measuring, Values, order_of

_RELEVANT_SHOWN = 3
_INSTEAD_SHOWN = 2
_TEXT_CHARACTERS = 300


def worst_questions(
    system: str, column: Column, values: Values, baseline: Values, measuring: Measuring, count: int
) -> tuple[WorseQuery, ...]:
    """Return the ``count`` questions that lost most by the first measure, the greatest loss first."""
    name = str(measuring.measures[0])
    query_ids = measuring.meter().query_ids
    change = values[name] - baseline[name]
    order = np.argsort(change, kind="stable")[:count]
    return tuple(
        WorseQuery(
            system=system,
            query_id=query_ids[place],
            query=measuring.lists.task.queries[query_ids[place]],
            before=float(baseline[name][place]),
            after=float(values[name][place]),
            passages=_moved(measuring.lists.question(query_ids[place]), column, measuring),
        )
        for place in order.tolist()
        if change[place] < 0
    )


def _moved(question: QuestionList, column: Column, measuring: Measuring) -> tuple[MovedPassage, ...]:
    """Return relevant passages and what stands first instead of them, in the order after."""
    if not question.candidates:
        return ()
    before = order_of(question, measuring.baseline.outcome(question), measuring.ties)
    after = order_of(question, column.outcome(question), measuring.ties)
    grades = measuring.lists.task.qrels[question.query_id]
    relevant = [doc_id for doc_id in before if grades.get(doc_id, 0) > 0][:_RELEVANT_SHOWN]
    instead = [doc_id for doc_id in after if grades.get(doc_id, 0) <= 0][:_INSTEAD_SHOWN]
    ranks = [{doc_id: rank for rank, doc_id in enumerate(order, start=1)} for order in (before, after)]
    moved = [
        MovedPassage(
            doc_id,
            ranks[0].get(doc_id, 0),
            ranks[1].get(doc_id, 0),
            grades.get(doc_id, 0),
            _beginning(measuring.lists.passages[doc_id].text),
        )
        for doc_id in (*relevant, *instead)
    ]
    return tuple(sorted(moved, key=lambda passage: passage.rank_after or len(after) + passage.rank_before))


def _beginning(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _TEXT_CHARACTERS else line[:_TEXT_CHARACTERS] + "…"
