"""TREC runs: read, ordered, written."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from secondpass.data.lines import read_lines
from secondpass.errors import InputError
from secondpass.types import Chunk, Hit, Run, StageScore


def read_run(path: str) -> Run:
    """Return the scores of a TREC run: ``query_id Q0 doc_id rank score tag``, separated by white space.

    The score decides the order, as in trec_eval; the rank column is not read.

    Raises:
        InputError: a line has other than six fields, a score is no finite number, or a passage stands twice.
    """
    run: Run = {}
    for number, line in read_lines(path):
        fields = line.split()
        if len(fields) != 6:
            raise InputError(
                f"{path}:{number}: {len(fields)} fields; a TREC run has six: query_id Q0 doc_id rank score tag."
            )
        query_id, _, doc_id, _, score, _ = fields
        passages = run.setdefault(query_id, {})
        if doc_id in passages:
            raise InputError(f"{path}:{number}: passage {doc_id!r} stands twice for query {query_id!r}.")
        passages[doc_id] = _number(score, f"{path}:{number}")
    return run


def _number(text: str, place: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"{place}: the score is {text!r}; it must be a finite number.")
    return value


def ranked(passages: dict[str, float]) -> list[str]:
    """Return the passages of one query, best first; equal scores by name from the last, as trec_eval does."""
    return sorted(sorted(passages, reverse=True), key=lambda doc_id: -passages[doc_id])


def format_run(query_id: str, doc_ids: Sequence[str], scores: Sequence[float], tag: str) -> str:
    """Return the lines of one query of a TREC run.

    Scores are written so that reading them back gives the same order: trec_eval sorts by score and breaks ties by name,
    so a tie is written as the next smaller number (of 32 bits: trec_eval reads no more).
    """
    lines = []
    below = np.float32(np.inf)
    for rank, (doc_id, score) in enumerate(zip(doc_ids, scores, strict=True), start=1):
        below = min(np.float32(score), np.nextafter(below, np.float32(-np.inf)))
        lines.append(f"{query_id} Q0 {doc_id} {rank} {below} {tag}\n")
    return "".join(lines)


def run_hits(passages: dict[str, float], corpus: dict[str, Chunk]) -> list[Hit]:
    """Return the passages of one query as hits in the run's order."""
    return [
        Hit(corpus[doc_id], passages[doc_id], "unknown", (StageScore("run", rank, passages[doc_id], "unknown"),))
        for rank, doc_id in enumerate(ranked(passages), start=1)
    ]
