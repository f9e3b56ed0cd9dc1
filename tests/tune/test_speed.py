"""Estimated times against those of a run, on a clock that only moves when something is read."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.tune.tuning_tasks import FakeClock, TableScorer, make_task, pool_of, scored_for

from secondpass.rerank.pairs import PairReranker
from secondpass.tune.choice import make_choice
from secondpass.tune.grid import Plan, run_plan
from secondpass.tune.measuring import run_for_real
from secondpass.tune.pool import Pool
from secondpass.tune.scores import read_order
from secondpass.tune.speed import fit_speed, measure_speed
from secondpass.types import Reranker


@given(st.floats(0, 0.5), st.floats(1e-6, 1e-2), st.lists(st.integers(1, 20_000), min_size=2, unique=True))
def test_a_speed_of_two_numbers_is_found_again(per_call: float, per_token: float, tokens: list[int]) -> None:
    speed = fit_speed(tokens, [per_call + per_token * count for count in tokens])
    predicted = speed.seconds(np.array(tokens, np.int64))
    assert predicted == pytest.approx([per_call + per_token * count for count in tokens], rel=1e-3)


def test_times_that_fall_with_length_give_no_negative_speed() -> None:
    speed = fit_speed([10, 100, 1000], [0.5, 0.3, 0.1])
    assert speed.per_token == 0
    assert speed.per_call > 0


def two_rerankers(clock: FakeClock) -> tuple[Pool, Mapping[str, Reranker]]:
    random = np.random.default_rng(11)

    def text(q: int, p: int) -> str:
        chinese = f"第{p}段：" + "西安交通大学位于西安。" * int(random.integers(1, 20))
        return chinese if q % 2 else "A passage of English words. " * (p + 1)

    task = make_task(random, 80, 40, text)
    table = scored_for(task, random, 2.0)
    quick = TableScorer(table, name="quick", clock=clock, per_call=0.001, per_token=2e-6)
    slow = TableScorer(table, name="slow", clock=clock, per_call=0.02, per_token=4e-5)
    return pool_of(task), {"quick": PairReranker(quick), "slow": PairReranker(slow)}


@pytest.mark.parametrize(
    "plan", [Plan(40, ("slow",)), Plan(5, ("quick",)), Plan(30, ("quick", "slow"), (10,))], ids=lambda plan: plan.stages
)
def test_estimated_times_are_those_of_a_run(plan: Plan) -> None:
    clock = FakeClock()
    pool, rerankers = two_rerankers(clock)
    orders = {name: read_order(reranker, pool, lambda: None, clock) for name, reranker in rerankers.items()}
    speeds = {name: measure_speed(reranker, pool, clock) for name, reranker in rerankers.items()}
    outcome = run_plan(plan, pool, orders, speeds)
    everything = np.ones(len(pool.queries), np.bool_)
    run = run_for_real(make_choice(outcome, pool, 3), pool, rerankers, everything, clock)
    assert run is not None
    assert run.questions == len(pool.queries)
    assert run.differing == 0
    assert run.outcome.latency == "measured"
    assert outcome.latency == "estimated"
    assert outcome.speed is not None
    assert run.outcome.speed is not None
    assert outcome.speed.p50_ms == pytest.approx(run.outcome.speed.p50_ms, rel=0.03)
    assert outcome.speed.p95_ms == pytest.approx(run.outcome.speed.p95_ms, rel=0.03)


def test_measuring_uses_no_known_scores_and_ends_when_it_takes_too_long() -> None:
    clock = FakeClock()
    pool, _ = two_rerankers(clock)
    scorer = TableScorer({}, name="glacial", clock=clock, per_call=8.0, per_token=1e-3)
    speed = measure_speed(PairReranker(scorer), pool, clock)
    assert speed is not None
    assert 4 <= len(speed.ratios) < 10
    assert speed.per_call == pytest.approx(8.0, rel=0.05)
