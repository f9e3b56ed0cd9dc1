"""The questions that ``secondpass tune`` chooses with: a task, or questions on the index with judgements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from secondpass.cli.evaluate_tasks import TaskOptions, read_tasks, task_sources
from secondpass.cli.pace import counted
from secondpass.config import RetrieveSpec
from secondpass.data.corpora import read_questions
from secondpass.data.qrels import read_qrels
from secondpass.data.questions import read_question_file, task_from_questions
from secondpass.data.tasks import Candidate, RankingTask
from secondpass.errors import InputError
from secondpass.evaluate.labelling_files import read_about
from secondpass.evaluate.labelling_prompts import ANSWERS_FROM
from secondpass.rerank.options import RerankerOptions
from secondpass.types import Hit, Qrels
from secondpass.workbench import Workbench

_NOT_FOUND = "the passage that was not found"


def read_tuning_task(options: TaskOptions, depth: int, rerankers: RerankerOptions) -> RankingTask:
    """Return the one task to tune on; on an index, with the first ``depth`` passages for every question.

    Raises:
        InputError: there is none or more than one, or its parts cannot be read.
    """
    if options.questions and not options.paths and not options.mteb and not options.run:
        with Workbench(options.index_path, rerankers=rerankers) as workbench:
            return _on_index(workbench, options.questions, options, depth)
    tasks = list(read_tasks(task_sources(options, rerankers)))
    if len(tasks) != 1:
        names = ", ".join(task.name for task in tasks)
        raise InputError(f"A setting is tuned on one task at a time; found are {len(tasks)}: {names}.")
    return _searched(tasks[0], RetrieveSpec.parse(options.retrieve)) if options.retrieve else tasks[0]


def depths_of(options: TaskOptions, depths: Sequence[int]) -> tuple[int, ...]:
    """Return the depths to try, none beyond what ``--retrieve`` says."""
    if not options.retrieve or "@" not in options.retrieve:
        return tuple(depths)
    most = RetrieveSpec.parse(options.retrieve).top_k
    return (*(depth for depth in depths if depth < most), most)


def _searched(task: RankingTask, spec: RetrieveSpec) -> RankingTask:
    """Return ``task`` without its lists: its passages are searched for every question.

    Raises:
        InputError: by another way than BM25.
    """
    if spec.name != "bm25":
        raise InputError(
            f"The passages of {task.name} can be searched by bm25 only; found is --retrieve {spec.name}. Order its "
            "lists with --first-stage, or index its documents."
        )
    return replace(task, candidates={}, first_stage="", scale="unknown")


def lowest_grade(options: TaskOptions) -> int:
    """Return the lowest grade that holds an answer: 2 of a model's labels (0 to 3), else 1."""
    return ANSWERS_FROM if options.qrels and read_about(options.qrels) else 1


def _on_index(workbench: Workbench, path: str, options: TaskOptions, depth: int) -> RankingTask:
    if options.qrels:
        return _judged(retrieve_task(workbench, path, options.retrieve, depth), options.qrels)
    asked = read_question_file(path)
    queries = {question.id: question.text for question in asked}
    hits, stage = _retrieve(workbench, queries, options.retrieve, depth)
    task = task_from_questions(asked, hits, Path(path).stem)
    return replace(task, first_stage=stage, qrels=_with_missed(task.qrels))


def retrieve_task(workbench: Workbench, path: str, retrieve: str | None, depth: int) -> RankingTask:
    """Return the questions of a file with what the index finds for each, and no judgements.

    ``depth`` passages, where ``retrieve`` does not say how many.
    """
    queries = read_questions(path)
    hits, stage = _retrieve(workbench, queries, retrieve, depth)
    return RankingTask(
        name=Path(path).stem,
        queries=queries,
        passages={hit.chunk.id: hit.chunk for found in hits.values() for hit in found},
        qrels={},
        candidates={
            query_id: tuple(Candidate(hit.chunk.id, hit.score, hit.stages) for hit in found)
            for query_id, found in hits.items()
        },
        first_stage=stage,
        scale=next((hit.scale for found in hits.values() for hit in found), "unknown"),
    )


def _retrieve(
    workbench: Workbench, queries: Mapping[str, str], retrieve: str | None, depth: int
) -> tuple[dict[str, Sequence[Hit]], str]:
    """Return what the index finds for each question, and the first stage's name."""
    retriever, top_k = workbench.retriever(retrieve)
    deep = top_k if retrieve and "@" in retrieve else depth
    asked = counted(queries.items(), f"questions retrieved for ({retriever.name}@{deep})", len(queries))
    return {query_id: retriever.retrieve(query, deep) for query_id, query in asked}, retriever.name


def _with_missed(qrels: Qrels) -> Qrels:
    """Return judgements in which every question has its answer somewhere: the user said that there is one."""
    return {
        query_id: dict(grades) if any(grade > 0 for grade in grades.values()) else {**grades, _NOT_FOUND: 1}
        for query_id, grades in qrels.items()
    }


def _judged(task: RankingTask, path: str) -> RankingTask:
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
