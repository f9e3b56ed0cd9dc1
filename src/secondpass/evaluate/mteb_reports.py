"""A report as result files of MTEB: one for every system and task (extra ``mteb``)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from secondpass.errors import InputError, MissingExtraError
from secondpass.evaluate.mteb_files import DEFAULT_SUBSET
from secondpass.evaluate.mteb_results import MTEBResults, MTEBScores, our_name, write_results
from secondpass.evaluate.records import Report, SystemResult

try:
    import mteb
except ModuleNotFoundError as error:
    _missing: ModuleNotFoundError | None = error
else:
    _missing = None

_NO_FILE_NAME = re.compile(r"[^\w.@+-]+")
_PREFERRED_SPLITS = ("test", "dev")


def write_mteb_reports(report: Report, folder: Path, names: Sequence[str], revision: str | None = None) -> list[Path]:
    """Write ``folder/SYSTEM/TASK.json`` for the tasks ``names``, and return the files.

    ``MIRACLReranking/zh`` is a subset of a task. A random order and the ceiling are no models, and get none.
    ``revision``: of data that are not the hub's.

    Raises:
        InputError: the main score of a task was not measured, or a file cannot be written.
        MissingExtraError: mteb is not installed.
    """
    if _missing is not None:
        raise MissingExtraError("Results in the form of MTEB", "mteb") from _missing
    written = []
    for result in (task for task in report.tasks if task.name in names):
        name, _, subset = result.name.partition("/")
        task: Any = mteb.get_task(name)
        for system in result.systems:
            if system.kind not in ("random", "ceiling"):
                path = _place(folder, system.name) / f"{task.metadata.name}.json"
                found = _results(task, subset or DEFAULT_SUBSET, system, revision)
                write_results(found, path, our_name(task.metadata.main_score))
                written.append(path)
    return written


def _place(folder: Path, name: str) -> Path:
    place = folder / _NO_FILE_NAME.sub("_", name)
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"The folder {place} cannot be made: {error.strerror}.") from error
    return place


def _results(task: Any, subset: str, system: SystemResult, revision: str | None) -> MTEBResults:
    split = next((part for part in _PREFERRED_SPLITS if part in task.eval_splits), task.eval_splits[0])
    languages: Any = task.metadata.hf_subsets_to_langscripts.get(subset, [])
    measures = {name: found.mean for name, found in system.measures.items()}
    scores = MTEBScores(split, subset, measures, languages=tuple(map(str, languages)))
    known = revision or str(task.metadata.dataset.get("revision") or "")
    return MTEBResults(task.metadata.name, known, "", (scores,))
