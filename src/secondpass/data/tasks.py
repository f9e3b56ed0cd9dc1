"""A ranking task: questions, what is relevant to each, and the passages that every reranker gets to order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from secondpass.types import Chunk, Qrels, Scale, StageScore


@dataclass(frozen=True, slots=True)
class Candidate:
    """A passage of a question's list, and the score the first stage gave it (None: it gave none).

    ``stages``: where it stood after each part of a first stage that has parts, the latest last; empty where only the
    list is known.
    """

    doc_id: str
    score: float | None = None
    stages: tuple[StageScore, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class RankingTask:
    """What a reranker is measured on.

    ``queries``: ``{query_id: text}``, the questions that are asked. ``passages``: ``{doc_id: passage}``, the whole
    collection, or as much of it as is known. ``candidates``: ``{query_id: the list to order, best first}``; a question
    without a list has none (its relevant passages are missed). ``first_stage`` names what ordered the lists, and
    ``scale`` says what the candidates' scores mean; an empty name says that their order means nothing (a list made by
    hand, in an order that says nothing). ``answers``: short reference answers, for the questions that have any.
    ``skipped`` counts what was left out on reading, by reason.
    """

    name: str
    queries: Mapping[str, str]
    passages: Mapping[str, Chunk]
    qrels: Qrels
    candidates: Mapping[str, tuple[Candidate, ...]]
    first_stage: str = ""
    scale: Scale = "unknown"
    answers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    skipped: Mapping[str, int] = field(default_factory=dict)
