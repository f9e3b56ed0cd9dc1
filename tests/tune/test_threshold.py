"""The promise of a threshold: kept on fresh questions, refused where there are too few."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.tune.tuning_tasks import TableScorer, make_task, pool_of, scored_for

from secondpass.rerank.pairs import PairReranker
from secondpass.tune.grid import Plan, PlanOutcome, run_plan
from secondpass.tune.pool import Pool
from secondpass.tune.records import Wishes
from secondpass.tune.scores import read_order
from secondpass.tune.threshold import (
    KeptLists,
    Risk,
    check_threshold,
    fit_threshold,
    kept_lists,
    risks,
    rounded_down,
    why_none,
)


def simulated(random: np.random.Generator, questions: int) -> KeptLists:
    """One question in ten has lost its answer before; the best relevant numbers are discrete, so that some tie."""
    best = np.round(random.beta(4, 2, questions), 2)
    best[random.random(questions) < 0.1] = -np.inf
    return KeptLists(best, np.ones(questions, np.bool_))


@pytest.mark.parametrize("risk", [Risk("of_kept", 0.05), Risk("of_kept", 0.2), Risk("of_all", 0.2)], ids=str)
def test_the_promise_holds_in_the_mean_over_seeded_draws_and_is_not_much_too_careful(risk: Risk) -> None:
    random = np.random.default_rng(7)
    losses = []
    for _ in range(400):
        calibration, fresh = simulated(random, 120), simulated(random, 400)
        everything = np.ones(120, np.bool_)
        fitted = fit_threshold(calibration, everything, (risk,))
        assert fitted is not None
        about = fresh.of(risk, np.ones(400, np.bool_))
        losses.append(float((about < fitted[0]).mean()))
    error = float(np.std(losses) / np.sqrt(len(losses)))
    assert np.mean(losses) <= risk.alpha + 3 * error
    assert np.mean(losses) >= risk.alpha - 1 / 60  # ties and 1/(n + 1) cost that much at most


def test_of_two_promises_the_stricter_one_decides() -> None:
    lists = simulated(np.random.default_rng(3), 300)
    everything = np.ones(300, np.bool_)
    loose, strict = Risk("of_kept", 0.2), Risk("of_kept", 0.02)
    both = fit_threshold(lists, everything, (loose, strict))
    alone = fit_threshold(lists, everything, (strict,))
    assert both == alone
    assert both is not None
    assert both[1] is strict


def test_a_risk_below_one_in_n_plus_one_is_refused_with_the_least_number_of_questions() -> None:
    lists = simulated(np.random.default_rng(3), 15)
    everything = np.ones(15, np.bool_)
    risk = Risk("of_kept", 0.05)
    assert risk.least == 19
    assert fit_threshold(lists, everything, (risk,)) is None
    said = why_none(lists, everything, (risk,))
    assert "needs 19 questions" in said
    assert f"there are {len(lists.of(risk, everything))}" in said


def test_a_setting_that_loses_as_much_as_may_be_lost_gets_no_threshold() -> None:
    lists = KeptLists(np.array([0.5] * 80 + [-np.inf] * 20), np.ones(100, np.bool_))
    everything = np.ones(100, np.bool_)
    risk = Risk("of_all", 0.1)
    assert fit_threshold(lists, everything, (risk,)) is None
    assert "loses as many answers" in why_none(lists, everything, (risk,))


def test_wishes_say_what_is_promised() -> None:
    assert risks(Wishes()) == (Risk("of_kept", 0.05),)
    assert risks(Wishes(alpha=0.1)) == (Risk("of_kept", 0.1),)
    (total,) = risks(Wishes(keep_answer=0.9))
    assert total.kind == "of_all"
    assert total.alpha == pytest.approx(0.1)
    assert total.least == 9
    assert "90.0% of answerable questions" in total.promise
    assert [risk.kind for risk in risks(Wishes(keep_answer=0.9, alpha=0.01))] == ["of_all", "of_kept"]


@given(st.floats(-1e6, 1e6))
def test_a_printed_threshold_is_never_above_the_fitted_one(value: float) -> None:
    shown = rounded_down(value)
    assert shown <= value
    assert float(f"{shown:g}") == shown
    assert shown == pytest.approx(value, rel=1e-5, abs=1e-300)


def outcome_of(questions: int) -> tuple[PlanOutcome, Pool]:
    random = np.random.default_rng(4)
    task = make_task(random, questions, 12, missing=5)
    pool = pool_of(task)
    reranker = PairReranker(TableScorer(scored_for(task, random, 4.0)))
    orders = {"table": read_order(reranker, pool, lambda: None)}
    return run_plan(Plan(12, ("table",)), pool, orders, {}), pool


def test_the_report_on_a_threshold_counts_what_it_did_to_held_out_questions() -> None:
    outcome, pool = outcome_of(200)
    half = np.arange(200) % 2 == 0
    lists = kept_lists(outcome, pool, 3)
    fitted = fit_threshold(lists, half, (Risk("of_kept", 0.1),))
    assert fitted is not None
    found = check_threshold(outcome, pool, 3, fitted, (half, ~half))
    value = fitted[0]
    lost = [bool(best < value) for best in lists.best[~half] if best > -np.inf]
    assert found.risk.mean == pytest.approx(np.mean(lost))
    assert found.checked_on == len(lost)
    assert found.scale == "probability"
    assert found.passages[1] < found.passages[0] <= 3
    assert found.context_tokens[1] < found.context_tokens[0]
    empty = ~pool.in_pool[~half]
    kept = outcome.kept(3, value)[~half]
    assert found.empty_of == int(empty.sum()) > 10
    assert found.nothing_left == pytest.approx(np.mean([not row.any() for row in kept[empty]]))
    assert found.nothing_left > found.nothing_left_answerable
