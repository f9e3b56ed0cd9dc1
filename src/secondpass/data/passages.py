"""Reranking jobs as JSON lines: ``{"id", "query", "passages": [{"id", "text", "title"?, "score"?}]}``."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from secondpass.data.lines import parse_object, read_lines
from secondpass.errors import InputError
from secondpass.types import Chunk, Hit, Reranker, StageScore

ACCEPTED = 'accepted is {"id": ..., "query": "...", "passages": [{"id": ..., "text": "...", "title"?: "..."}, ...]}'
_WRITTEN = ("rank", "score", "scale", "rank_before", "probability", "truncated", "evidence", "evidence_confidence")


@dataclass(frozen=True, slots=True)
class Job:
    """One query with its passages, as the object it was read from, and the line it stood on."""

    number: int
    record: dict[str, Any]
    query: str
    passages: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that cannot be used, and why."""

    number: int
    reason: str


def read_jobs(path: str) -> Iterator[Job | BadLine]:
    """Yield a `Job` or a `BadLine` for each line of a file (``-`` = standard input)."""
    for number, line in read_lines(path):
        place = f"{path}:{number}"
        try:
            yield _job(number, parse_object(line, place), place)
        except InputError as error:
            yield BadLine(number, str(error))


def read_passages(path: str, query: str) -> Job:
    """Return one job made of a file of passages, one ``{"id", "text"}`` a line.

    Raises:
        InputError: a line cannot be used; it is named by its number.
    """
    passages = [parse_object(line, f"{path}:{number}") | {"_line": number} for number, line in read_lines(path)]
    for passage in passages:
        _check_passage(passage, f"{path}:{passage.pop('_line')}")
    return Job(1, {"query": query, "passages": passages}, query, passages)


def _job(number: int, record: dict[str, Any], place: str) -> Job:
    query, passages = record.get("query"), record.get("passages")
    if not isinstance(query, str):
        raise InputError(f'{place}: "query" is {_what(record, "query")}; {ACCEPTED}.')
    if not isinstance(passages, list):
        raise InputError(f'{place}: "passages" is {_what(record, "passages")}; {ACCEPTED}.')
    for position, passage in enumerate(passages, start=1):
        _check_passage(passage, f"{place}: passage {position}")
    return Job(number, record, query, passages)


def _check_passage(passage: object, place: str) -> None:
    if not isinstance(passage, dict):
        raise InputError(f"{place}: the passage is a {type(passage).__name__}; {ACCEPTED}.")
    if not isinstance(passage.get("text"), str):
        raise InputError(f'{place}: "text" is {_what(passage, "text")}; {ACCEPTED}.')
    if not isinstance(passage.get("title", ""), str | None):
        raise InputError(f'{place}: "title" is {_what(passage, "title")}; {ACCEPTED}.')


def _what(record: dict[str, Any], key: str) -> str:
    return f"a {type(record[key]).__name__}" if key in record else "missing"


def as_hits(passages: Sequence[dict[str, Any]]) -> list[Hit]:
    """Return the passages as hits in their given order; a number in ``score`` is kept as that of the stage before."""
    hits = []
    for rank, passage in enumerate(passages, start=1):
        given = passage.get("score")
        number = isinstance(given, int | float) and not isinstance(given, bool) and math.isfinite(given)
        score = float(given) if number else 0.0  # type: ignore[arg-type]
        chunk = Chunk(str(rank - 1), passage["text"], title=passage.get("title") or "", end=len(passage["text"]))
        hits.append(Hit(chunk, score, "unknown", (StageScore("given", rank, score, "unknown"),)))
    return hits


def rerank_job(job: Job, reranker: Reranker) -> dict[str, Any]:
    """Return the job's object with its passages reordered.

    Each passage keeps its fields and gains ``rank``, ``score``, ``scale`` and ``rank_before``, and where there is one
    ``probability``, where a part was not read ``truncated``, and where a part of it decided its place in the text,
    ``evidence`` ([start, end)), with ``evidence_confidence`` where that is known. A score that stood there is kept as
    ``score_before``.
    """
    ordered = []
    for rank, hit in enumerate(reranker.rerank(job.query, as_hits(job.passages)), start=1):
        place = int(hit.chunk.id)
        passage = {key: value for key, value in job.passages[place].items() if key not in _WRITTEN}
        if "score" in job.passages[place]:
            passage["score_before"] = job.passages[place]["score"]
        passage |= {"rank": rank, "score": hit.score, "scale": hit.scale, "rank_before": place + 1}
        ordered.append(passage | _found_out(hit))
    return {**job.record, "passages": ordered}


def _found_out(hit: Hit) -> dict[str, Any]:
    """Return what a reranker says of a passage beside its score, as far as it says anything."""
    said: dict[str, Any] = {}
    if hit.probability is not None:
        said["probability"] = hit.probability
    if hit.truncated:
        said["truncated"] = True
    if hit.evidence is not None:
        said["evidence"] = [hit.evidence.start, hit.evidence.end]
    if hit.evidence_confidence is not None:
        said["evidence_confidence"] = hit.evidence_confidence
    return said
