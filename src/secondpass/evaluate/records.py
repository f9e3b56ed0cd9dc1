"""What an evaluation found, as records that a table, a file and a page are made of.

All measures are between 0 and 1 (but for correlations, -1 to 1); tables multiply by 100.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from secondpass.types import Json, Language

SystemKind = Literal["random", "first_stage", "fusion", "reranker", "ceiling"]
"""``random``: the order by chance. ``first_stage``: an order without reranking. ``fusion``: first stages fused, with
nothing trained. ``ceiling``: the best order the candidates allow."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over questions and its 95% bootstrap interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Difference:
    """A system less the baseline, question by question.

    ``p_value``: two-sided paired randomisation test. ``p_holm``: the same, corrected for all tests of the report that
    have the same measure. ``wins``, ``ties`` and ``losses`` count questions.
    """

    mean: float
    low: float
    high: float
    p_value: float
    p_holm: float
    wins: int
    ties: int
    losses: int


@dataclass(frozen=True, slots=True)
class Reliability:
    """One bin of probabilities: its borders, how many pairs fall in, their mean probability, the share relevant."""

    low: float
    high: float
    pairs: int
    probability: float
    relevant: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """Whether probabilities mean what they say: bins, and the expected calibration error over them."""

    bins: tuple[Reliability, ...]
    error: float


@dataclass(frozen=True, slots=True)
class Cost:
    """What a system took.

    ``p50_ms`` and ``p95_ms``: wall milliseconds of one question's rerank, cached scores left out (None: nothing was
    computed). ``pairs``: pairs of question and passage that were computed, ``known`` those taken from the score cache.
    ``context_tokens``: estimated tokens of the passages it keeps for a prompt, the mean over questions;
    ``truncated``: pairs of which a part was not read.
    """

    p50_ms: float | None
    p95_ms: float | None
    pairs_per_second: float | None
    pairs: int
    known: int
    context_tokens: float
    truncated: int = 0


@dataclass(frozen=True, slots=True)
class SystemResult:
    """One order of the candidates of one task.

    ``measures``: by the measure's name, as all that follow. ``differences`` and ``gain_reached`` (the share of the gain
    that the candidates allow over the baseline; None where they allow none) are empty for the baseline itself, for the
    random order and for the ceiling, which are no claims.
    ``per_query``: ``{query_id: value}`` of the report's first measure. ``movement``: for every relevant candidate, its
    rank in the baseline and its rank here (0: cut), counted from 1. ``scale``: of its scores.
    ``identity`` says what was computed, in words: engine, precision, fingerprint. ``answers``: measures of the answers
    made from its first passages, where answers were evaluated.
    """

    name: str
    kind: SystemKind
    scale: str
    identity: str
    measures: Mapping[str, Estimate]
    differences: Mapping[str, Difference]
    gain_reached: Mapping[str, float | None]
    cost: Cost | None
    calibration: Calibration | None
    per_query: Mapping[str, float]
    movement: tuple[tuple[int, int], ...] = ()
    notes: tuple[str, ...] = ()
    answers: Mapping[str, Estimate] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MovedPassage:
    """A passage of a question that got worse: where it stood before and after (0: cut), its grade, its beginning."""

    doc_id: str
    rank_before: int
    rank_after: int
    grade: int
    text: str


@dataclass(frozen=True, slots=True)
class WorseQuery:
    """A question that a system made worse, for reading: the first measure before and after, and the passages."""

    system: str
    query_id: str
    query: str
    before: float
    after: float
    passages: tuple[MovedPassage, ...]


@dataclass(frozen=True, slots=True)
class TaskResult:
    """All systems on one task; the first entry of ``systems`` that is named ``baseline`` is what others are held to.

    ``queries``: questions measured, ``of_queries`` those the task has (more where it was sampled). ``pairs``:
    candidates in all lists. ``missing``: questions without candidates. ``relevant``: share of the candidates with a
    grade above 0. ``candidate_tokens``: estimated tokens of all candidates of a question, the mean over questions.
    ``candidates_hash``: 16 digits of questions, candidates and their texts: equal digits, equal task.
    """

    name: str
    language: Language
    baseline: str
    queries: int
    of_queries: int
    passages: int
    pairs: int
    missing: int
    relevant: float
    candidates_hash: str
    systems: tuple[SystemResult, ...]
    worst: tuple[WorseQuery, ...] = ()
    notes: tuple[str, ...] = ()
    candidate_tokens: float = 0.0


@dataclass(frozen=True, slots=True)
class OverallResult:
    """One system over several tasks, every task counted the same; ``language`` is empty for all together."""

    name: str
    language: str
    tasks: int
    measures: Mapping[str, Estimate]
    differences: Mapping[str, Difference]


@dataclass(frozen=True, slots=True)
class Report:
    """An evaluation. ``measures``: the names, the first is the one that is tested and drawn.

    ``conventions`` says in words how ties, missing questions and unjudged passages were taken; ``machine`` and
    ``options`` are for whoever repeats it.
    """

    created: str
    version: str
    measures: tuple[str, ...]
    tasks: tuple[TaskResult, ...]
    overall: tuple[OverallResult, ...] = ()
    conventions: tuple[str, ...] = ()
    machine: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Json] = field(default_factory=dict)
