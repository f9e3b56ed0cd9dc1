"""A chosen setting run for real: what it takes, and whether it keeps what the arithmetic says."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from secondpass.rerank.cascade import CascadeReranker, Stage
from secondpass.tune.choice import Choice
from secondpass.tune.grid import PlanOutcome
from secondpass.tune.pool import Flags, Pool
from secondpass.tune.scores import is_independent
from secondpass.tune.speed import Clock, percentiles, without_cache
from secondpass.types import Reranker

LEAST_QUESTIONS = 5
_MOST_QUESTIONS = 100
_MOST_SECONDS = 30.0


@dataclass(frozen=True, slots=True, eq=False)
class RealRun:
    """A plan with its measured time, over so many questions; of ``differing`` ones other passages were kept."""

    outcome: PlanOutcome
    questions: int
    differing: int


def can_be_measured(outcome: PlanOutcome, rerankers: Mapping[str, Reranker]) -> bool:
    """Tell whether a run would compute anew: the replies of chat models are known after the first time."""
    return all(is_independent(rerankers[name]) for name in outcome.plan.stages)


def run_for_real(
    choice: Choice, pool: Pool, rerankers: Mapping[str, Reranker], part: Flags, clock: Clock = time.perf_counter
) -> RealRun | None:
    """Rerank up to a hundred questions of ``part`` with the setting, for half a minute at most; None without any.

    Known scores are not used. The first question is run twice, and timed the second time.
    """
    plan = choice.outcome.plan
    keeps = (*plan.cuts, choice.top_n)
    cascade = CascadeReranker(
        [Stage(without_cache(rerankers[name]), keep) for name, keep in zip(plan.stages, keeps, strict=True)]
    )
    rows = [row for row in np.flatnonzero(part).tolist() if pool.hits[row]]
    rows = rows[:: -(-len(rows) // _MOST_QUESTIONS) or 1]  # evenly spread: neighbours are often about one text
    seconds: list[float] = []
    differing = 0
    began = clock()
    for place, row in enumerate([*rows[:1], *rows]):
        start = clock()
        kept = cascade.rerank(pool.queries[row], pool.hits[row][: plan.depth])
        if place:
            seconds.append(clock() - start)
            expected = [pool.hits[row][p].chunk.id for p in choice.outcome.order[row, : choice.top_n] if p >= 0]
            differing += [hit.chunk.id for hit in kept] != expected
        if place >= LEAST_QUESTIONS and clock() - began > _MOST_SECONDS:
            break
    if not seconds:
        return None
    timed = replace(choice.outcome, speed=percentiles(seconds), latency="measured")
    return RealRun(timed, len(seconds), differing)


def corrected(choice: Choice, estimated: PlanOutcome, measured: PlanOutcome) -> Choice:
    """Return ``choice`` as the run of one plan shows it: with the measured time, or with an estimate set right.

    A machine that is busier or freer than when speeds were measured is so for all settings.
    """
    if choice.outcome.plan == measured.plan:
        return replace(choice, outcome=measured)
    if choice.outcome.latency == "measured" or not (choice.outcome.speed and estimated.speed and measured.speed):
        return choice
    factor = measured.speed.p50_ms / max(estimated.speed.p50_ms, 1e-9)
    return replace(choice, outcome=replace(choice.outcome, speed=choice.outcome.speed.times(factor)))
