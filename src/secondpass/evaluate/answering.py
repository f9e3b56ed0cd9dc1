"""The answers that come of a system's first passages, scored against reference answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from secondpass.answer.extract import ExtractiveAnswerer
from secondpass.answer.generate import LLMAnswerer
from secondpass.data.questions import Question
from secondpass.evaluate.answer_scores import (
    answer_in_context,
    citation_precision_recall,
    exact_match,
    f1,
    words_of,
)
from secondpass.evaluate.candidates import QuestionList, TaskLists, passage_of
from secondpass.evaluate.identity import ANSWER_CODE, code_digest
from secondpass.evaluate.outcomes import Outcome
from secondpass.evaluate.running import Column, Desk, work_out
from secondpass.text.language import language
from secondpass.types import LLM, Answerer, Hit, Reranker, StructuredLLM


@dataclass(frozen=True, slots=True, eq=False)
class Answering:
    """Who answers from the first ``top_n`` passages; ``key`` changes with everything that an answer depends on.

    ``reader``: the system's own reranker, where it reads passages one by one: it points at evidence in what it kept.
    """

    answerer: Answerer
    key: str
    top_n: int
    reader: Reranker | None = None


def make_answering(llm: LLM | None, top_n: int, reader: Reranker | None = None) -> Answering:
    """Return the chat model as the one who answers, or (None) the sentences of the passages themselves, as `ask` does.

    ``reader`` is that of the system whose passages they are; what it depends on is in the system's key.
    """
    if llm is None:
        key = f"extractive\0{code_digest(ANSWER_CODE)}\0{top_n}\0{'read' if reader else 'words'}"
        return Answering(ExtractiveAnswerer(), key, top_n, reader)
    name = llm.fingerprint if isinstance(llm, StructuredLLM) else llm.name
    return Answering(LLMAnswerer(llm), f"chat\0{name}\0{code_digest(ANSWER_CODE)}\0{top_n}", top_n)


def measure_answers(
    lists: TaskLists, name: str, column: Column, answering: Answering, desk: Desk
) -> Mapping[str, npt.NDArray[np.float64]]:
    """Return every measure of answers for the questions that have references, float64 [A]; none where none has."""
    if not any(query_id in lists.task.answers for query_id in lists.with_candidates):
        return {}
    work = _scored(lists, column, answering)
    answered = work_out(lists, f"answers from {name}", f"{column.key}\0{answering.key}", work, desk)
    found: dict[str, list[float]] = {}
    for question in lists:
        for measure, value in answered.outcome(question).answer.items():
            found.setdefault(measure, []).append(value)
    return {measure: np.array(values) for measure, values in found.items()}


def _scored(lists: TaskLists, column: Column, answering: Answering) -> Callable[[QuestionList], Outcome]:
    def work(question: QuestionList) -> Outcome:
        references = lists.task.answers.get(question.query_id, ())
        nothing = Outcome(np.zeros(0, np.uint32), np.zeros(0), "rank_only")
        if not references:
            return nothing
        outcome = column.outcome(question)
        kept = zip(outcome.positions.tolist(), outcome.scores.tolist(), strict=True)
        hits = [
            Hit(passage_of(lists.passages, question.candidates[place].doc_id), score, outcome.scale)
            for place, score in list(kept)[: answering.top_n]
        ]
        if answering.reader is not None:  # kept outcomes have no evidence; the system's own order stays
            read = {hit.chunk.id: hit for hit in answering.reader.rerank(question.query, hits)}
            hits = [read[hit.chunk.id] for hit in hits]
        asked = Question(question.query_id, question.query, tuple(references))
        relevant = [doc_id for doc_id, grade in lists.task.qrels[question.query_id].items() if grade > 0]
        return Outcome(
            nothing.positions, nothing.scores, "rank_only", answer=score_answer(asked, hits, answering, relevant)
        )

    return work


def score_answer(asked: Question, hits: list[Hit], answering: Answering, relevant: list[str]) -> dict[str, float]:
    """Return the measures of one question's answer."""
    answer = answering.answerer.answer(asked.text, hits)
    said, code = words_of(answer), language(asked.text)
    precision, recall = citation_precision_recall(answer, asked, relevant)
    return {
        "answer in context": float(answer_in_context([hit.chunk.text for hit in hits], asked.answers)),
        "answered": float(answer.found),
        "exact match": exact_match(said, asked.answers, code),
        "F1": f1(said, asked.answers, code),
        "citation precision": precision,
        "citation recall": recall,
    }
