"""Settings that follow by arithmetic are those that would be run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.models.tiny_models import SENTENCES, Shape, make_model
from tests.tune.tuning_tasks import NeighbourReranker, TableScorer, make_task, pool_of, scored_for

from secondpass.errors import InputError
from secondpass.models.engine import EngineOptions
from secondpass.rerank.cascade import CascadeReranker, Stage
from secondpass.rerank.names import open_reranker
from secondpass.rerank.options import RerankerOptions
from secondpass.rerank.pairs import PairReranker
from secondpass.rerank.score_cache import ScoreCache
from secondpass.rerank.threshold import MinScore, ThresholdReranker
from secondpass.tune.grid import Plan, make_plans, run_plan
from secondpass.tune.pool import Pool
from secondpass.tune.scores import RunOrder, read_order
from secondpass.types import Hit, Reranker

TEXTS = ["", "  ", "长江全长约6300公里。", "The Yangtze is long.", "黄河", "tea", "茶叶产自中国南方。", "same", "same"]


def by_arithmetic(pool: Pool, plan: Plan, rerankers: dict[str, Reranker]) -> list[list[tuple[str, float]]]:
    """The first ten passages of every question with their numbers."""
    orders = {name: read_order(reranker, pool, lambda: None) for name, reranker in rerankers.items()}
    outcome = run_plan(plan, pool, orders, {})
    return [
        [(pool.hits[row][place].chunk.id, value) for place, value in zip(places, values, strict=True) if place >= 0]
        for row, (places, values) in enumerate(zip(outcome.order.tolist(), outcome.values.tolist(), strict=True))
    ]


def by_running(pool: Pool, plan: Plan, rerankers: dict[str, Reranker]) -> list[list[Hit]]:
    """The same from a real cascade."""
    stages = [Stage(rerankers[name], cut) for name, cut in zip(plan.stages, (*plan.cuts, None), strict=True)]
    cascade = CascadeReranker(stages)
    return [cascade.rerank(query, hits[: plan.depth], 10) for query, hits in zip(pool.queries, pool.hits, strict=True)]


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 10**6), depth=st.integers(1, 14), cut=st.integers(1, 14), levels=st.integers(1, 8))
def test_a_cascade_by_arithmetic_equals_a_cascade_that_is_run(seed: int, depth: int, cut: int, levels: int) -> None:
    random = np.random.default_rng(seed)
    task = make_task(random, 6, 12, lambda q, p: TEXTS[(q * 7 + p * 5) % len(TEXTS)] + (str(p % 3) if q % 3 else ""))
    pool = pool_of(task)
    rerankers: dict[str, Reranker] = {
        name: PairReranker(TableScorer(scored_for(task, random, 1.0, levels), name=name)) for name in ("quick", "slow")
    }
    for plan in (Plan(depth, ("slow",)), Plan(depth, ("quick", "slow"), (cut,))):
        found = by_arithmetic(pool, plan, rerankers)
        expected = by_running(pool, plan, rerankers)
        assert [[name for name, _ in row] for row in found] == [[hit.chunk.id for hit in row] for row in expected]
        assert [value for row in found for _, value in row] == pytest.approx(
            [hit.probability for row in expected for hit in row]
        )


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Reranker:
    """A random cross-encoder that reads Chinese and English."""
    folder = make_model(tmp_path_factory.mktemp("models") / "tiny", Shape("bert"))
    return open_reranker(str(folder), RerankerOptions(engine=EngineOptions("onnx", threads=1)))


def test_lexical_and_a_cross_encoder_in_a_row_keep_what_arithmetic_says(tiny: Reranker) -> None:
    random = np.random.default_rng(5)
    task = make_task(random, 12, 20, lambda q, p: SENTENCES[(q + p) % len(SENTENCES)])
    pool = pool_of(task)
    rerankers = {"lexical": open_reranker("lexical", RerankerOptions()), "tiny": tiny}
    for plan in (Plan(5, ("lexical",)), Plan(20, ("tiny",)), Plan(20, ("lexical", "tiny"), (5,))):
        found = by_arithmetic(pool, plan, rerankers)
        expected = by_running(pool, plan, rerankers)
        for row, hits in zip(found, expected, strict=True):
            # Scores of one pair may differ in the last bits between batches: names may change places there only.
            numbers = [hit.score if hit.probability is None else hit.probability for hit in hits]
            assert [value for _, value in row] == pytest.approx(numbers, abs=1e-4)
            assert {name for name, _ in row} == {hit.chunk.id for hit in hits}


def test_a_threshold_cuts_what_the_command_line_would_cut() -> None:
    random = np.random.default_rng(3)
    task = make_task(random, 20, 12)
    pool = pool_of(task)
    reranker = PairReranker(TableScorer(scored_for(task, random, 2.0)))
    outcome = run_plan(Plan(10, ("table",)), pool, {"table": read_order(reranker, pool, lambda: None)}, {})
    assert outcome.scale == "probability"
    kept = outcome.kept(3, 0.6)
    cut = ThresholdReranker(reranker, MinScore(0.6, "probability"))
    for row, (query, hits) in enumerate(zip(pool.queries, pool.hits, strict=True)):
        expected = [hit.chunk.id for hit in cut.rerank(query, hits[:10], 3)]
        assert [hits[place].chunk.id for place in outcome.order[row][kept[row]]] == expected


def test_a_reranker_that_looks_at_neighbours_is_run_once_on_each_list() -> None:
    task = make_task(np.random.default_rng(2), 8, 12)
    pool = pool_of(task)
    neighbours = NeighbourReranker()
    orders = {"neighbours": read_order(neighbours, pool, lambda: None)}
    assert isinstance(orders["neighbours"], RunOrder)
    assert neighbours.runs == 0
    plan = Plan(6, ("neighbours",))
    first, again = (run_plan(plan, pool, orders, {}) for _ in range(2))
    assert neighbours.runs == len(pool.queries)
    assert first.order.tolist() == again.order.tolist()
    expected = by_running(pool, plan, {"neighbours": neighbours})
    found = [
        [pool.hits[row][place].chunk.id for place in places if place >= 0] for row, places in enumerate(first.order)
    ]
    assert found == [[hit.chunk.id for hit in hits] for hits in expected]
    assert not first.takes_threshold


def test_a_reranker_that_makes_passages_of_its_own_cannot_be_tuned() -> None:
    class Inventor(NeighbourReranker):
        def rerank(self, query: str, hits: list[Hit], top_n: int | None = None) -> list[Hit]:  # type: ignore[override]
            return [replace(hits[0], chunk=replace(hits[0].chunk, id="新的"))]

    pool = pool_of(make_task(np.random.default_rng(2), 8, 12))
    with pytest.raises(InputError, match="新的"):
        read_order(Inventor(), pool, lambda: None).order(pool.first(5))


def test_every_reranker_and_every_pair_is_tried_at_every_depth_that_there_is() -> None:
    plans = make_plans((5, 10, 20, 100), ("quick", "slow"), longest=12)
    assert [plan for plan in plans if not plan.stages] == [Plan(20)]
    assert {plan.depth for plan in plans} == {5, 10, 20}
    assert Plan(20, ("quick", "slow"), (10,)) in plans
    assert all(cut < plan.depth for plan in plans for cut in plan.cuts)
    assert len(set(plans)) == len(plans)


def test_scores_that_are_known_are_not_computed_again(tmp_path: Path) -> None:
    task = make_task(np.random.default_rng(2), 8, 12)
    pool = pool_of(task)
    scorer = TableScorer(scored_for(task, np.random.default_rng(1), 1.0))
    cache = ScoreCache(tmp_path / "分数.sqlite")
    first = read_order(PairReranker(scorer, cache), pool, lambda: None)
    asked = len(scorer.asked)
    again = read_order(PairReranker(scorer, cache), pool, lambda: None)
    cache.close()
    assert asked == len(scorer.asked) == len(pool.queries)
    assert first.order(pool.first(100)).tolist() == again.order(pool.first(100)).tolist()
