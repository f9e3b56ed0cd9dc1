"""The questions that ``secondpass tune`` chooses with: a task, or questions on the index with judgements."""

from __future__ import annotations

import importlib
from dataclasses import replace
from pathlib import Path
from typing import Any

from secondpass.cli.evaluate_tasks import TaskOptions, read_tasks, task_sources
from secondpass.data.corpora import read_questions
from secondpass.data.qrels import read_qrels
from secondpass.data.tasks import Candidate, RankingTask
from secondpass.errors import InputError
from secondpass.evaluate.labelling_files import read_about
from secondpass.evaluate.labelling_prompts import ANSWERS_FROM
from secondpass.rerank.options import RerankerOptions
from secondpass.types import Chunk
from secondpass.workbench import Workbench


def read_tuning_task(options: TaskOptions, depth: int, rerankers: RerankerOptions) -> RankingTask:
    """Return the one task to tune on.

    Raises:
        InputError: there is none or more than one, or its parts cannot be read.
    """
    if options.questions and not options.paths and not options.mteb and not options.run:
        return _on_index(options, depth, rerankers)
    tasks = list(read_tasks(task_sources(options, rerankers)))
    if len(tasks) != 1:
        names = ", ".join(task.name for task in tasks)
        raise InputError(f"A setting is tuned on one task at a time; found are {len(tasks)}: {names}.")
    return tasks[0]


def lowest_grade(options: TaskOptions) -> int:
    """Return the lowest grade that holds an answer: 2 of a model's labels (0 to 3), else 1."""
    return ANSWERS_FROM if options.qrels and read_about(options.qrels) else 1


def _on_index(options: TaskOptions, depth: int, rerankers: RerankerOptions) -> RankingTask:
    assert options.questions is not None
    name = Path(options.questions).stem
    with Workbench(options.index_path, rerankers=rerankers) as workbench:
        if options.qrels:
            queries = read_questions(options.questions)
            found, passages, stage = retrieved(workbench, options.retrieve, queries, depth)
            return judged(RankingTask(name, queries, passages, {}, found, stage), options.qrels)
        retriever, top_k = workbench.retriever(options.retrieve)
        asked: Any = importlib.import_module("secondpass.data.questions")
        tasks: Any = importlib.import_module("secondpass.evaluate.index_tasks")
        deep = top_k if options.retrieve and "@" in options.retrieve else depth
        task: RankingTask = tasks.task_from_retriever(
            asked.read_question_file(options.questions), retriever, deep, name
        )
    return task


def retrieved(
    workbench: Workbench, retrieve: str | None, queries: dict[str, str], depth: int
) -> tuple[dict[str, tuple[Candidate, ...]], dict[str, Chunk], str]:
    """Return what the index finds for each question, the passages, and the first stage's name.

    ``depth`` passages, where ``retrieve`` does not say how many.
    """
    retriever, top_k = workbench.retriever(retrieve)
    deep = top_k if retrieve and "@" in retrieve else depth
    found: dict[str, tuple[Candidate, ...]] = {}
    passages: dict[str, Chunk] = {}
    for query_id, query in queries.items():
        hits = retriever.retrieve(query, deep)
        passages |= {hit.chunk.id: hit.chunk for hit in hits}
        found[query_id] = tuple(Candidate(hit.chunk.id, hit.score) for hit in hits)
    return found, passages, retriever.name


def judged(task: RankingTask, path: str) -> RankingTask:
    """Return ``task`` with the judgements at ``path``; questions without any are left out and counted.

    Raises:
        InputError: no question is judged.
    """
    qrels = read_qrels(path)
    asked = {query_id: text for query_id, text in task.queries.items() if query_id in qrels}
    if not asked:
        raise InputError(
            f"{path} judges {len(qrels):,} questions, but none of the {len(task.queries):,} of {task.name}; their ids "
            "must be the same."
        )
    left_out = {"questions without a judgement": len(task.queries) - len(asked)}
    kept = {query_id: qrels[query_id] for query_id in asked}
    return replace(task, queries=asked, qrels=kept, skipped={**task.skipped, **left_out})
