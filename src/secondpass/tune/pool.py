"""The candidates of all questions, as arrays: what every setting of a first stage and rerankers chooses from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from secondpass.evaluate.candidates import TaskLists
from secondpass.evaluate.first_stages import FirstStage, arrival_hits
from secondpass.evaluate.running import Progress, Silence
from secondpass.text.language import estimate_tokens
from secondpass.types import Hit, Qrels

T = TypeVar("T", bound=np.generic)
Places = npt.NDArray[np.int32]
"""Places in a question's list of candidates, counted from 0; -1 where there is none."""
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """The deepest candidate list of each of Q questions; N is the longest of them.

    ``qrels`` hold relevant passages only. ``relevant`` bool [Q, N], ``tokens`` int32 [Q, N] (estimated, of the
    passage): False and 0 behind a list's end. ``lengths`` int32 [Q]. ``answerable`` bool [Q]: something is relevant,
    whether it is among the candidates or not.
    """

    query_ids: tuple[str, ...]
    queries: tuple[str, ...]
    hits: tuple[tuple[Hit, ...], ...]
    qrels: Qrels
    relevant: Flags
    tokens: Places
    lengths: Places
    answerable: Flags

    @property
    def depth(self) -> int:
        """The length of the longest list."""
        return int(self.relevant.shape[1])

    @property
    def in_pool(self) -> Flags:
        """Which questions have a relevant candidate, bool [Q]."""
        return any_of(self.relevant)

    def first(self, depth: int) -> Places:
        """Return the places of each question's first ``depth`` candidates, int32 [Q, min(depth, N)]."""
        places = np.arange(min(depth, self.depth), dtype=np.int32)
        return np.where(places[None, :] < self.lengths[:, None], places[None, :], np.int32(-1))

    def taken(self, values: npt.NDArray[T], order: Places) -> npt.NDArray[T]:
        """Return ``values`` [Q, N] in ``order`` [Q, K]; 0 where there is no place."""
        chosen = np.take_along_axis(values, np.maximum(order, 0), axis=1)
        return np.where(order >= 0, chosen, np.zeros(1, values.dtype))


def any_of(flags: Flags) -> Flags:
    """Tell for each row of ``flags``, bool [Q, K], whether any is set: bool [Q]."""
    found: Flags = np.logical_or.reduce(flags, axis=1)
    return found


def make_pool(
    lists: TaskLists, stage: FirstStage, depth: int, min_grade: int = 1, progress: Progress | None = None
) -> Pool:
    """Return each question's first ``depth`` candidates in the order of ``stage``.

    Grades from ``min_grade`` on are relevant; lower ones count as none.
    """
    progress = progress or Silence()
    progress.begin(lists.name, stage.name, len(lists.query_ids), 0)
    hits = []
    for query_id in lists.query_ids:
        hits.append(_hits(lists, stage, query_id)[:depth])
        progress.advance()
    qrels = {query_id: _relevant(grades, min_grade) for query_id, grades in lists.qrels.items()}
    shape = (len(hits), max((len(found) for found in hits), default=0))
    relevant, tokens = np.zeros(shape, np.bool_), np.zeros(shape, np.int32)
    for row, (query_id, found) in enumerate(zip(lists.query_ids, hits, strict=True)):
        relevant[row, : len(found)] = [hit.chunk.id in qrels[query_id] for hit in found]
        tokens[row, : len(found)] = [estimate_tokens(hit.chunk.text) for hit in found]
    return Pool(
        query_ids=tuple(lists.query_ids),
        queries=tuple(lists.task.queries[query_id] for query_id in lists.query_ids),
        hits=tuple(hits),
        qrels=qrels,
        relevant=relevant,
        tokens=tokens,
        lengths=np.array([len(found) for found in hits], np.int32),
        answerable=np.array([bool(qrels[query_id]) for query_id in lists.query_ids], np.bool_),
    )


def _relevant(grades: Mapping[str, int], min_grade: int) -> dict[str, int]:
    return {doc_id: grade for doc_id, grade in grades.items() if grade >= max(min_grade, 1)}


def _hits(lists: TaskLists, stage: FirstStage, query_id: str) -> tuple[Hit, ...]:
    question = lists.question(query_id)
    if not question.candidates:
        return ()
    return tuple(arrival_hits(question, lists.passages, stage.name, stage.outcome(question)))
