"""Result files of MTEB, the old form and the new one, read into one record; the new form written.

Before mteb 1.11 a file was ``{"dev": {"map": ..., "mrr": ...}, "mteb_dataset_name": ...}``; since then it is
``{"task_name": ..., "scores": {"dev": [{"map_at_1000": ..., "main_score": ..., "hf_subset": "default"}]}}``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from secondpass.data.lines import write_whole
from secondpass.errors import InputError

DEFAULT_SUBSET = "default"
_OF_ALL = ("dataset_revision", "mteb_dataset_name", "mteb_version", "evaluation_time", "kg_co2_emissions")
_AT = re.compile(r"(ndcg|map|mrr|recall|precision|hit_rate)_at_(\d+)")
_OLD_AT = re.compile(r"(ndcg|map|mrr|recall|p)@(\d+)(\(miracl\))?", re.IGNORECASE)
_NAMES = {
    "ndcg": "nDCG",
    "map": "MAP",
    "mrr": "MRR",
    "recall": "Recall",
    "precision": "P",
    "p": "P",
    "hit_rate": "hit",
}
_KEYS = {"nDCG": "ndcg", "MAP": "map", "MRR": "mrr", "Recall": "recall", "P": "precision", "hit": "hit_rate"}
_WHOLE_LISTS = 1000
"""mteb measures the first 1,000; no reranking task has longer lists, so that MAP@1000 is MAP."""


@dataclass(frozen=True, slots=True)
class MTEBScores:
    """The scores of one split and subset.

    ``measures`` are those that we have too, under our names; MAP is ``map`` or ``map_at_1000``, MRR@10 is ``mrr`` or
    ``mrr_at_10``. MIRACL's old ``NDCG@10(MIRACL)`` keeps a name of its own, for it was computed otherwise.
    ``main_score`` is None where an old file does not say which it is. ``raw``: every number under mteb's name.
    """

    split: str
    subset: str
    measures: Mapping[str, float]
    main_score: float | None = None
    languages: tuple[str, ...] = ()
    raw: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MTEBResults:
    """What one model reached on one task; ``mteb_version`` is empty where mteb did not compute it."""

    task: str
    revision: str
    mteb_version: str
    scores: tuple[MTEBScores, ...]
    seconds: float | None = None


def read_results(path: str | Path) -> MTEBResults:
    """Read a result file of either form.

    Raises:
        InputError: the file is no JSON, or is none of the two forms.
    """
    try:
        record = json.loads(Path(path).read_text(encoding="utf-8-sig"))
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        where = f":{error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise InputError(f"{path}{where}: this is no JSON in UTF-8 ({error}).") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error
    if not isinstance(record, dict):
        raise InputError(f"{path}: this is a JSON {type(record).__name__}; a result file of MTEB is an object.")
    if "scores" in record:
        return _new(record, str(path))
    return _old(record, str(path))


def _new(record: Mapping[str, Any], path: str) -> MTEBResults:
    scores = []
    for split, entries in _object(record["scores"], f'{path}: "scores"').items():
        if not isinstance(entries, list):
            raise InputError(f'{path}: "scores" of {split!r} is a {type(entries).__name__}; it must be a list.')
        for entry in entries:
            found = _object(entry, f'{path}: "scores" of {split!r}')
            languages = found.get("languages", [])
            scores.append(
                _scores(split, str(found.get("hf_subset", DEFAULT_SUBSET)), found, tuple(map(str, languages)))
            )
    return _results(record, record.get("task_name"), scores, path)


def _old(record: Mapping[str, Any], path: str) -> MTEBResults:
    scores = []
    for split, found in record.items():
        if split in _OF_ALL or not isinstance(found, dict):
            continue
        subsets = {key: value for key, value in found.items() if isinstance(value, dict)}
        for subset, entry in (subsets or {DEFAULT_SUBSET: found}).items():
            scores.append(_scores(split, subset, entry, ()))
    return _results(record, record.get("mteb_dataset_name"), scores, path)


def _results(record: Mapping[str, Any], task: object, scores: list[MTEBScores], path: str) -> MTEBResults:
    if not isinstance(task, str) or not any(entry.raw for entry in scores):
        raise InputError(
            f'{path}: this is no result file of MTEB; accepted are {{"task_name", "scores": {{split: [...]}}}} and the '
            f'old {{"mteb_dataset_name", split: {{"map", "mrr"}}}}. Found are: {", ".join(record) or "no keys"}.'
        )
    seconds = record.get("evaluation_time")
    return MTEBResults(
        task=task,
        revision=str(record.get("dataset_revision") or ""),
        mteb_version=str(record.get("mteb_version") or ""),
        scores=tuple(scores),
        seconds=float(seconds) if isinstance(seconds, int | float) else None,
    )


def _object(value: object, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InputError(f"{what} is a {type(value).__name__}; it must be an object.")
    return value


def _scores(split: str, subset: str, found: Mapping[str, Any], languages: tuple[str, ...]) -> MTEBScores:
    raw = {
        key: float(value)
        for key, value in found.items()
        if isinstance(value, int | float) and not isinstance(value, bool) and key != "evaluation_time"
    }
    named = {name: value for key, value in raw.items() if (name := our_name(key))}
    return MTEBScores(split, subset, named, raw.get("main_score"), languages, raw)


def our_name(key: str) -> str:
    """Return our name of a score of mteb's; empty where we have none.

    >>> our_name("ndcg_at_10"), our_name("map_at_1000"), our_name("map"), our_name("mrr")
    ('nDCG@10', 'MAP', 'MAP', 'MRR@10')
    >>> our_name("NDCG@10(MIRACL)"), our_name("hit_rate_at_3"), our_name("nauc_map_at_10_max")
    ('nDCG@10(MIRACL)', 'hit@3', '')
    """
    if key in ("map", "mrr"):
        return "MAP" if key == "map" else "MRR@10"
    found = _AT.fullmatch(key) or _OLD_AT.fullmatch(key)
    if not found:
        return ""
    name, depth = _NAMES[found[1].lower()], int(found[2])
    if name == "MAP" and depth == _WHOLE_LISTS:
        return name
    return f"{name}@{depth}{'(MIRACL)' if found.re is _OLD_AT and found[3] else ''}"


def mteb_name(measure: str) -> str:
    """Return mteb's name of a measure of ours; empty where mteb has none.

    >>> mteb_name("nDCG@10"), mteb_name("MAP"), mteb_name("hit@3"), mteb_name("Judged@10")
    ('ndcg_at_10', 'map_at_1000', 'hit_rate_at_3', '')
    """
    name, at, depth = measure.partition("@")
    if name not in _KEYS or (at and not depth.isdigit()):
        return ""
    return f"{_KEYS[name]}_at_{depth or _WHOLE_LISTS}"


def write_results(results: MTEBResults, path: str | Path, main_score: str = "MAP") -> None:
    """Write our figures in the new form, which mteb reads; ``main_score`` is the measure that the task is known by.

    Raises:
        InputError: there are no scores, the main score is not among them, or the file cannot be written.
    """
    scores: dict[str, list[dict[str, Any]]] = {}
    for entry in results.scores:
        if main_score not in entry.measures:
            raise InputError(
                f"{results.task}: the main score {main_score!r} was not measured; there are: "
                f"{', '.join(entry.measures) or 'no measures'}."
            )
        named = {key: value for measure, value in entry.measures.items() if (key := mteb_name(measure))}
        scores.setdefault(entry.split, []).append(
            {**named, "main_score": entry.measures[main_score], "hf_subset": entry.subset, "languages": entry.languages}
        )
    if not scores:
        raise InputError(f"{results.task}: there are no scores to write.")
    record = {
        "dataset_revision": results.revision,
        "task_name": results.task,
        "mteb_version": results.mteb_version or None,
        "secondpass_version": version("secondpass"),
        "scores": scores,
        "evaluation_time": results.seconds,
        "kg_co2_emissions": None,
    }
    with write_whole(str(path)) as stream:
        stream.write(json.dumps(record, ensure_ascii=False, indent=2) + "\n")
