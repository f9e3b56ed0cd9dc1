"""Runs out and in: TREC files of every system's order, and the task that given runs make."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from secondpass.data.lines import write_whole
from secondpass.data.tasks import Candidate, RankingTask
from secondpass.data.trec import format_run
from secondpass.errors import InputError
from secondpass.evaluate.options import Ties
from secondpass.evaluate.summary import order_of
from secondpass.evaluate.systems import RunSystem
from secondpass.evaluate.task_run import TaskRun
from secondpass.types import Chunk, Qrels

_NO_FILE_NAME = re.compile(r"[^\w.@+-]+")


def write_runs(folder: Path, run: TaskRun, ties: Ties) -> list[Path]:
    """Write a TREC run of every system of a task, ``folder/TASK/SYSTEM.trec``, and return the files.

    Raises:
        InputError: a file cannot be written.
    """
    place = folder / _file_name(run.lists.name)
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"The folder {place} cannot be made: {error.strerror}.") from error
    written = []
    for name, row in run.rows.items():
        path = place / f"{_file_name(name)}.trec"
        with write_whole(str(path)) as stream:
            for question in run.lists:
                outcome = row.column.outcome(question)
                doc_ids = order_of(question, outcome, ties)
                stream.write(format_run(question.query_id, doc_ids, outcome.scores.tolist(), _file_name(name)))
        written.append(path)
    return written


def _file_name(name: str) -> str:
    return _NO_FILE_NAME.sub("_", name).strip("_") or "_"


def pool_of_runs(systems: Sequence[RunSystem], qrels: Qrels, name: str) -> RankingTask:
    """Return the task whose candidates are what any of the runs found; the first run's come first.

    Raises:
        InputError: no run has a judged question.
    """
    pools: dict[str, tuple[Candidate, ...]] = {}
    for query_id in qrels:
        found = dict.fromkeys(doc_id for system in systems for doc_id in system.run.get(query_id, {}))
        pools[query_id] = tuple(Candidate(doc_id) for doc_id in found)
    if not any(pools.values()):
        asked = next((query_id for system in systems for query_id in system.run), "")
        raise InputError(
            f"No run has a question of the judgements: one is called {asked!r} in a run, and {next(iter(qrels))!r} in "
            "the judgements."
        )
    unjudged = len({query_id for system in systems for query_id in system.run} - qrels.keys())
    return RankingTask(
        name=name,
        queries={query_id: query_id for query_id in qrels},
        passages={candidate.doc_id: Chunk(candidate.doc_id, "") for pool in pools.values() for candidate in pool},
        qrels=qrels,
        candidates=pools,
        skipped={"questions of runs without a judgement": unjudged} if unjudged else {},
    )
