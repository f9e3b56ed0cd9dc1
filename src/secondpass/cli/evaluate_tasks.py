"""What ``secondpass evaluate`` measures on: folders, files, TREC runs, questions on an index, MTEB's tasks."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import click

from secondpass.cli.pace import counted
from secondpass.cli.plain import plain
from secondpass.data.collections import ReadOptions, read_task, task_from_trec
from secondpass.data.corpora import Titles, read_corpus, read_questions
from secondpass.data.qrels import read_qrels
from secondpass.data.questions import read_question_file, task_from_questions
from secondpass.data.tasks import RankingTask
from secondpass.data.trec import read_run
from secondpass.errors import InputError
from secondpass.evaluate.run_files import pool_of_runs
from secondpass.evaluate.systems import RunSystem
from secondpass.rerank.options import RerankerOptions
from secondpass.workbench import Workbench

TaskSource = Callable[[], RankingTask]
_PARTS_OF_A_TASK = ("corpus.jsonl", "queries.jsonl")


@dataclass(frozen=True, slots=True)
class TaskOptions:
    """Where the tasks of an evaluation come from."""

    paths: tuple[str, ...]
    split: str | None
    titles: Titles
    run: str | None
    qrels: str | None
    corpus: str | None
    queries: str | None
    runs: tuple[str, ...]
    questions: str | None
    index_path: str
    retrieve: str | None
    mteb: tuple[str, ...]
    mteb_data: str | None
    offline: bool


def task_sources(options: TaskOptions, rerankers: RerankerOptions) -> list[TaskSource]:
    """Return what reads each of the tasks that are asked for, when it is its turn.

    Raises:
        InputError: nothing is asked for, or a part is missing.
    """
    sources: list[TaskSource] = []
    reading = ReadOptions(titles=options.titles)
    for path in options.paths:
        sources += _of_path(Path(path), options.split, reading)
    if options.run:
        sources.append(partial(_of_run, options, reading))
    if options.questions:
        sources.append(partial(_of_questions, options, rerankers))
    sources += [partial(_of_mteb, name, options) for name in options.mteb]
    if not sources and not options.runs:
        raise InputError(
            "There is nothing to evaluate on; give a folder with corpus.jsonl, queries.jsonl and qrels, a JSONL file "
            "of labelled lists, --run with --qrels, --corpus and --queries, --questions FILE for your own index, or "
            "--mteb NAME."
        )
    return sources


def read_tasks(sources: Sequence[TaskSource]) -> Iterator[RankingTask]:
    """Yield the tasks, each read when the one before is done; two of one name get numbers."""
    names: dict[str, int] = {}
    for source in sources:
        task = source()
        names[task.name] = names.get(task.name, 0) + 1
        yield task if names[task.name] == 1 else replace(task, name=f"{task.name} ({names[task.name]})")


def _of_path(path: Path, split: str | None, reading: ReadOptions) -> list[TaskSource]:
    """Return the task at ``path``, or those of the folders in it."""
    if path.is_file() or any(path.glob("corpus.jsonl*")):
        return [partial(read_task, path, split, reading)]
    folders = [child for child in sorted(path.iterdir()) if child.is_dir()] if path.is_dir() else []
    tasks = [child for child in folders if all(any(child.glob(f"{part}*")) for part in _PARTS_OF_A_TASK)]
    if not tasks:
        read_task(path, split, reading)  # which says what is missing, before a model is opened
    left_out = [child.name for child in folders if child not in tasks]
    sources: list[TaskSource] = []
    for task in tasks:
        if split is not None and not _has_split(task, split):
            left_out.append(f"{task.name} (no split {split!r})")
            continue
        sources.append(partial(read_task, task, split, reading))
    if left_out:
        click.echo(plain(f"note: {path}: left out, because they are no task: {', '.join(left_out)}"), err=True)
    return sources


def _has_split(folder: Path, split: str) -> bool:
    """Tell whether a folder has the split, without reading its passages."""
    if (folder / "qrels").is_dir():
        return any((folder / "qrels").glob(f"{split}.tsv*"))
    named = f'"split": "{split}"'
    try:
        with next(folder.glob("queries.jsonl*")).open("rb") as stream:
            return stream.peek(2)[:2] == b"\x1f\x8b" or any(named.encode() in line for line in stream)
    except OSError:
        return True  # reading it says what is wrong


def _of_run(options: TaskOptions, reading: ReadOptions) -> RankingTask:
    if not (options.run and options.qrels and options.corpus and options.queries):
        raise InputError(
            "--run needs --qrels (the judgements), --corpus (the passages' texts) and --queries (the questions'); "
            "--runs compares runs without any texts."
        )
    run = read_run(options.run)
    wanted = {doc_id for passages in run.values() for doc_id in passages}
    corpus = read_corpus(options.corpus, wanted, reading.titles)
    task = task_from_trec(run, read_qrels(options.qrels), corpus, read_questions(options.queries), reading)
    return replace(task, name=Path(options.run).name)


def _of_questions(options: TaskOptions, rerankers: RerankerOptions) -> RankingTask:
    asked = read_question_file(str(options.questions))
    with Workbench(options.index_path, rerankers=rerankers) as workbench:
        retriever, top_k = workbench.retriever(options.retrieve)
        found = counted(asked, f"questions retrieved for ({retriever.name}@{top_k})", len(asked))
        hits = {question.id: retriever.retrieve(question.text, top_k) for question in found}
    return task_from_questions(asked, hits, Path(str(options.questions)).stem)


def _of_mteb(name: str, options: TaskOptions) -> RankingTask:
    module: Any = importlib.import_module("secondpass.evaluate.mteb_tasks")
    local = Path(options.mteb_data) if options.mteb_data else None
    whole, _, subset = name.partition("/")
    reading = ReadOptions(titles=options.titles)
    task: RankingTask = module.load_mteb_task(whole, local, options.offline, subset or None, reading)
    return replace(task, name=name)


def compared_runs(options: TaskOptions) -> tuple[RankingTask, list[RunSystem]]:
    """Return the runs of ``--runs`` as systems, and the task of their judgements.

    Raises:
        InputError: there are no judgements, or two runs have one name.
    """
    if not options.qrels:
        raise InputError("--runs needs --qrels, the judgements that the runs are measured by.")
    systems = [RunSystem(Path(path).stem, read_run(path)) for path in options.runs]
    return pool_of_runs(systems, read_qrels(options.qrels), Path(options.qrels).stem), systems
