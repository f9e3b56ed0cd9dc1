"""What tuning is told and what it finds, as records that a table, a file and a page are made of.

Shares are between 0 and 1; tables multiply by 100.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from secondpass.evaluate.records import Estimate
from secondpass.types import Scale

Preference = Literal["quality", "cheap"]
"""``quality``: the cheapest of the settings that keep as many answers as the best one, give or take its standard error
(the one-standard-error rule of Breiman et al. 1984). ``cheap``: the cheapest that meets the wishes."""

Latency = Literal["estimated", "measured"]
"""``estimated``: from the tokens that are read and the speed that was measured. ``measured``: the setting was run."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a setting must keep to; None for what does not matter.

    ``latency_seconds``: the most that 95 of 100 questions may take to rerank. ``keep_answer``: the least share of
    answerable questions whose kept passages hold the answer, with everything that can lose it. ``context_tokens``: the
    most estimated tokens of kept passages, in the mean. ``alpha``: the most answers that the threshold may lose, of
    those that it is given.
    """

    latency_seconds: float | None = None
    keep_answer: float | None = None
    context_tokens: float | None = None
    alpha: float | None = None
    prefer: Preference = "quality"


@dataclass(frozen=True, slots=True)
class StageDepth:
    """One reranker of a setting, and how many passages it keeps."""

    reranker: str
    keep: int


@dataclass(frozen=True, slots=True)
class Setting:
    """A first stage's depth, the rerankers after it (the last keeps ``top_n``), and the lowest score that is kept."""

    first_stage: str
    depth: int
    stages: tuple[StageDepth, ...]
    top_n: int
    threshold: float | None = None
    scale: Scale = "unknown"

    def __str__(self) -> str:
        parts = [f"{self.first_stage or 'given'}@{self.depth if self.stages else self.top_n}"]
        parts += [f"{stage.reranker}@{stage.keep}" for stage in self.stages]
        return " > ".join(parts) + (f" ≥ {self.scale}={self.threshold:g}" if self.threshold is not None else "")


@dataclass(frozen=True, slots=True)
class SettingRow:
    """One setting of the grid: what was seen on the questions for choosing, and on the held-out ones.

    A threshold in it was fitted on the questions for choosing (a chosen one is fitted anew on questions of its own).
    ``cost``: milliseconds of reranking in the middle (p50), and one for every token of context (None: the time is not
    known). ``on_curve``: no other
    setting keeps as many answers at a lower cost. ``interval``: of ``held_out_keep_answer``, for rows on the curve.
    """

    setting: Setting
    keep_answer: float
    context_tokens: float
    ndcg: float
    p50_ms: float | None
    p95_ms: float | None
    latency: Latency
    cost: float | None
    held_out_keep_answer: float
    held_out_context_tokens: float
    on_curve: bool = False
    interval: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class HeldOut:
    """A setting on questions that neither it nor its threshold was chosen with.

    ``keep_answer``: over answerable questions, ``keep_given_pool``: over those whose answer the first stage found.
    ``measures`` (nDCG@10, MRR@10) are of the order before ``top_n`` and the threshold cut it.
    """

    questions: int
    keep_answer: Estimate
    keep_given_pool: Estimate
    measures: Mapping[str, Estimate]
    context_tokens: Estimate
    passages: float


@dataclass(frozen=True, slots=True)
class ThresholdPromise:
    """A lowest score, what is promised of it, and what it did on questions that it was not fitted on.

    ``promise``: in words. ``alpha``: the promised risk, ``calibrated_on`` questions. ``risk``: the same risk on
    ``checked_on`` held-out questions. ``lost``: of the kept lists that held an answer, the share from which the
    threshold took it. ``passages`` and ``context_tokens``: means without and with it. ``nothing_left``: of ``empty_of``
    held-out questions without a relevant passage among the candidates, the share that is left without any passage (None
    where there are no such questions); ``nothing_left_answerable``: the same of those that have one.
    """

    value: float
    scale: Scale
    promise: str
    alpha: float
    calibrated_on: int
    risk: Estimate
    lost: Estimate
    checked_on: int
    passages: tuple[float, float]
    context_tokens: tuple[float, float]
    nothing_left: float | None
    empty_of: int
    nothing_left_answerable: float


@dataclass(frozen=True, slots=True)
class RerankerSpeed:
    """What was read, and how fast: seconds a call and a token (None: what was known already could not be timed)."""

    name: str
    pairs: int
    seconds_per_call: float | None
    seconds_per_token: float | None
    timed_calls: int


@dataclass(frozen=True, slots=True)
class Split:
    """How many questions there are for what; ``answerable`` have a relevant passage, ``in_pool`` among candidates."""

    questions: int
    answerable: int
    in_pool: int
    choosing: int
    calibrating: int
    checking: int


@dataclass(frozen=True, slots=True)
class TuningReport:
    """What tuning found.

    ``rows``: the whole grid. ``chosen``: the setting to use (where no setting meets the wishes: the nearest one);
    ``p50_ms``, ``p95_ms`` and ``latency`` are its own. ``met``: it meets the wishes; ``failed`` says in sentences which
    wish it does not. ``threshold``: the lowest score for it (a part of ``chosen`` where ``Setting.threshold`` is there,
    else an offer); ``no_threshold`` says why there is none. ``commands`` are ready to run.
    """

    created: str
    version: str
    task: str
    first_stage: str
    split: Split
    wishes: Wishes
    speeds: tuple[RerankerSpeed, ...]
    rows: tuple[SettingRow, ...]
    chosen: Setting
    held_out: HeldOut
    p50_ms: float | None
    p95_ms: float | None
    latency: Latency
    met: bool
    failed: tuple[str, ...] = ()
    threshold: ThresholdPromise | None = None
    no_threshold: str = ""
    commands: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    machine: Mapping[str, str] = field(default_factory=dict)
