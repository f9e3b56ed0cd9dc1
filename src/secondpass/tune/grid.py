"""The settings that are tried, and what each makes of every question: arithmetic on what rerankers said once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from secondpass.evaluate.measures import measure_orders, parse_measure
from secondpass.tune.pool import Flags, Places, Pool
from secondpass.tune.records import Latency, Setting, StageDepth
from secondpass.tune.scores import NO_THRESHOLD, Order, Scores
from secondpass.tune.speed import Percentiles, Seconds, Speed, estimated_percentiles, tokens_read
from secondpass.types import Scale

DEPTHS = (5, 10, 20, 30, 50, 100)
TOP_N = (1, 2, 3, 5, 8, 10)
QUALITY = ("nDCG@10", "MRR@10")
_MEASURED_TO = 10


@dataclass(frozen=True, slots=True)
class Plan:
    """What is read: a first stage's depth and the rerankers after it; all but the last say how many they keep."""

    depth: int
    stages: tuple[str, ...] = ()
    cuts: tuple[int, ...] = ()

    @property
    def keeps_at_most(self) -> int:
        """How many passages come to the last stage."""
        return min((self.depth, *self.cuts))

    def setting(self, first_stage: str, top_n: int) -> Setting:
        """Return the setting whose last stage keeps ``top_n``."""
        keeps = (*self.cuts, top_n)[: len(self.stages)]
        stages = tuple(StageDepth(name, keep) for name, keep in zip(self.stages, keeps, strict=True))
        return Setting(first_stage, self.depth, stages, top_n)


def make_plans(depths: Sequence[int], rerankers: Sequence[str], longest: int) -> list[Plan]:
    """Return the first stage alone, each reranker, and each pair in the given order (the quick one first).

    Of the depths that hold the ``longest`` list whole, the least is tried.
    """
    ordered = sorted(set(depths))
    tried = [depth for place, depth in enumerate(ordered) if not place or ordered[place - 1] < longest]
    plans = [Plan(tried[-1])]
    plans += [Plan(depth, (name,)) for depth in tried for name in rerankers]
    for depth in tried:
        for pair in combinations(rerankers, 2):
            plans += [Plan(depth, pair, (cut,)) for cut in tried if cut < depth]
    return plans


@dataclass(frozen=True, slots=True, eq=False)
class PlanOutcome:
    """What a plan makes of every question, cut to the ten best places.

    ``order`` int32 [Q, 10], places in the pool; ``values`` float64 [Q, 10], what a threshold is held against, on
    ``scale``. ``measures``: float64 [Q] each. ``speed`` None: what the plan takes is not known.
    """

    plan: Plan
    order: Places
    values: Scores
    scale: Scale
    measures: Mapping[str, Scores]
    speed: Percentiles | None
    latency: Latency

    @property
    def takes_threshold(self) -> bool:
        """Whether scores mean the same for every question."""
        return bool(self.plan.stages) and self.scale not in NO_THRESHOLD

    def kept(self, top_n: int, threshold: float | None = None) -> Flags:
        """Return which of the ten places are kept, bool [Q, 10]."""
        kept = (self.order >= 0) & (np.arange(self.order.shape[1]) < top_n)[None, :]
        return kept if threshold is None else kept & (self.values >= threshold)


def run_plan(plan: Plan, pool: Pool, orders: Mapping[str, Order], speeds: Mapping[str, Speed | None]) -> PlanOutcome:
    """Work out what ``plan`` makes of every question."""
    shown = pool.first(plan.depth)
    values = np.full(shown.shape, -np.inf)
    scale: Scale = "unknown"
    timed: list[tuple[Seconds, Seconds] | None] = []
    for name, cut in zip(plan.stages, (*plan.cuts, None), strict=False):
        order = orders[name]
        timed.append(_seconds(order, shown, pool, speeds.get(name)))
        shown = order.order(shown)
        values = order.values(shown)
        scale = order.scale
        shown = shown[:, :cut]
    order_cut = shown[:, :_MEASURED_TO]
    known = [stage for stage in timed if stage is not None]
    speed = estimated_percentiles(known) if len(known) == len(timed) else None
    latency: Latency = "estimated" if plan.stages else "measured"
    return PlanOutcome(plan, order_cut, values[:, :_MEASURED_TO], scale, _measured(pool, order_cut), speed, latency)


def _seconds(order: Order, shown: Places, pool: Pool, speed: Speed | None) -> tuple[Seconds, Seconds] | None:
    """Return what one stage takes for each question, and how far from that single calls are; None: not known."""
    seen = order.seconds(shown)
    if seen is not None:
        seen = seen[~np.isnan(seen)]
        return (np.resize(seen, len(shown)), np.ones(1)) if len(seen) else None
    if speed is None:
        return None
    tokens = pool.taken(tokens_read(pool), shown).sum(axis=1, dtype=np.int64)
    return speed.seconds(tokens), speed.ratios


def _measured(pool: Pool, order: Places) -> dict[str, Scores]:
    """Return the measures of each question's order, float64 [Q] each; 0 for one without anything relevant."""
    orders = {
        query_id: [hits[place].chunk.id for place in row if place >= 0]
        for query_id, hits, row in zip(pool.query_ids, pool.hits, order.tolist(), strict=True)
    }
    qrels = {query_id: grades for query_id, grades in pool.qrels.items() if grades}
    found = measure_orders([parse_measure(name) for name in QUALITY], orders, qrels)
    return {
        name: np.array([found[name].get(query_id, 0.0) for query_id in pool.query_ids], np.float64) for name in QUALITY
    }


def top_ns(outcome: PlanOutcome, wanted: Sequence[int]) -> Iterator[int]:
    """Yield how many passages a setting of this plan may keep."""
    yield from sorted({min(top_n, outcome.plan.keeps_at_most, _MEASURED_TO) for top_n in wanted})
