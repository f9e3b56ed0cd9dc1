"""Reranking tasks of MTEB and C-MTEB by name, from the hub or from files on this disk (extra ``mteb``)."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from secondpass.data.task_assembly import ReadOptions
from secondpass.data.tasks import RankingTask
from secondpass.errors import InputError, MissingExtraError
from secondpass.evaluate.mteb_files import DEFAULT_SUBSET, MTEBData, Row, as_task, layout, read_mteb_data
from secondpass.evaluate.mteb_results import our_name

try:
    import datasets.config
    import huggingface_hub.constants
    import mteb
    from mteb.abstasks import AbsTaskRetrieval
except ModuleNotFoundError as error:
    _missing: ModuleNotFoundError | None = error
else:
    _missing = None

_log = logging.getLogger(__name__)
_PREFERRED_SPLITS = ("test", "dev")


def load_mteb_task(
    name: str,
    local: str | Path | None = None,
    offline: bool = False,
    subset: str | None = None,
    options: ReadOptions | None = None,
) -> RankingTask:
    """Return an MTEB reranking task: ``T2Reranking``, ``CMedQAv1-reranking``, ``AskUbuntuDupQuestions`` ...

    ``local``: the folder of its data (`secondpass.evaluate.mteb_files`) or a file of the old form; None: the hub, or
    what is in its cache where ``offline``. ``subset``: the language of a task that has several (``zh`` of
    ``MIRACLReranking``). Read is the split that the task is measured on, ``test`` where there are several.

    Raises:
        InputError: there is no such task or subset, it is no text reranking task, or its data cannot be had.
        MissingExtraError: mteb is not installed.
    """
    if _missing is not None:
        raise MissingExtraError("Tasks of MTEB", "mteb") from _missing
    task = _checked(_task(name), local is not None)
    subset = _subset(task, subset)
    split = next((part for part in _PREFERRED_SPLITS if part in task.eval_splits), task.eval_splits[0])
    full_name = task.metadata.name if subset == DEFAULT_SUBSET else f"{task.metadata.name}/{subset}"
    if local is not None:
        place = Path(local)
        if not place.exists():
            raise InputError(f"{place}, the data of {full_name}, is not there; {layout(split, subset)}")
        return as_task(full_name, read_mteb_data(place, split, subset), options or ReadOptions())
    return as_task(full_name, _from_hub(task.metadata.name, split, subset, offline), options or ReadOptions())


def _task(name: str) -> Any:
    """Return mteb's task; refuse an unknown name with those that are like it."""
    try:
        return mteb.get_task(name)
    except KeyError as error:
        names = [task.metadata.name for task in mteb.get_tasks(task_types=["Reranking"], modalities=["text"])]
        near = nearest(name, names)
        hint = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
        raise InputError(
            f"MTEB has no task named {name!r}.{hint} Known are, among others: T2Reranking, "
            "MMarcoReranking, CMedQAv1-reranking, CMedQAv2-reranking, MIRACLReranking."
        ) from error


def nearest(name: str, names: Sequence[str]) -> list[str]:
    """Return up to three names that begin alike, or else look alike.

    >>> nearest("cmedqav1", ["CMedQAv1-reranking", "CMedQAv2-reranking"])
    ['CMedQAv1-reranking']
    """
    lower = {known.lower(): known for known in names}
    beginning = [known for key, known in lower.items() if key.startswith(name.lower())]
    return beginning[:3] or [lower[key] for key in difflib.get_close_matches(name.lower(), lower, n=3)]


def _checked(task: Any, is_local: bool) -> Any:
    """Return ``task``; refuse one that gives no lists of texts to order."""
    metadata = task.metadata
    accepted = ("Reranking", "Retrieval") if is_local else ("Reranking",)
    if not isinstance(task, AbsTaskRetrieval) or metadata.type not in accepted or list(metadata.modalities) != ["text"]:
        what = f"of {', '.join(metadata.modalities)}" if list(metadata.modalities) != ["text"] else "without lists"
        what = "measured by p-MRR, which compares two runs" if metadata.type == "InstructionReranking" else what
        raise InputError(
            f"{metadata.name} is a {metadata.type} task {what}; here are measured text reranking tasks, such as "
            "T2Reranking and AskUbuntuDupQuestions, and retrieval tasks whose local files have top_ranked lists."
        )
    if not our_name(metadata.main_score):
        _log.warning("%s: its main score, %s, is not among our measures", metadata.name, metadata.main_score)
    return task


def _subset(task: Any, subset: str | None) -> str:
    subsets = list(task.hf_subsets)
    if subset is None and len(subsets) == 1:
        return str(subsets[0])
    if subset is None or subset not in subsets:
        asked = f"no subset {subset!r}" if subset else f"{len(subsets)} subsets, of which one must be named"
        raise InputError(f"{task.metadata.name} has {asked}; there are: {', '.join(subsets)}.")
    return subset


def _from_hub(name: str, split: str, subset: str, offline: bool) -> MTEBData:
    task: Any = mteb.get_task(name, hf_subsets=[subset], eval_splits=[split])
    try:
        with _hub_access(offline):
            task.load_data()
            task.convert_v1_dataset_format_to_v2(num_proc=None)
    except (OSError, ValueError) as error:  # datasets raises these, whatever keeps it from the data
        said = "offline, and its data are not in the cache" if offline else f"not to be had from the hub ({error})"
        raise InputError(f"{name} is {said}. Fetch {_address(task)} elsewhere; {layout(split, subset)}") from error
    data = task.dataset[subset][split]
    if not data["top_ranked"]:
        raise InputError(f"{name} has no top_ranked lists in its split {split!r}: there is nothing to rerank.")
    return MTEBData(
        queries=_rows(data["queries"], f"queries of {name}"),
        corpus=_rows(data["corpus"], f"corpus of {name}"),
        qrels={
            str(key): {str(doc_id): int(grade) for doc_id, grade in grades.items()}
            for key, grades in data["relevant_docs"].items()
        },
        lists=data["top_ranked"],
    )


def _address(task: Any) -> str:
    return f"https://huggingface.co/datasets/{task.metadata.dataset['path']}"


def _rows(records: Any, what: str) -> Iterator[Row]:
    for number, record in enumerate(records, start=1):
        yield f"{what}, row {number}", record


@contextmanager
def _hub_access(offline: bool) -> Iterator[None]:
    """Keep mteb from asking the hub where ``offline``: it reads the cache, or says that it cannot."""
    places: tuple[Any, ...] = (datasets.config, huggingface_hub.constants)
    before = [place.HF_HUB_OFFLINE for place in places]
    try:
        for place in places if offline else ():
            place.HF_HUB_OFFLINE = True
        yield
    finally:
        for place, value in zip(places, before, strict=True):
            place.HF_HUB_OFFLINE = value
