"""Intervals and tests keep what they promise; the long form of the simulations is benchmarks/intervals.py."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from secondpass.errors import InputError
from secondpass.evaluate.statistics import (
    bootstrap_interval,
    difference,
    estimate,
    holm,
    paired_test,
    wilson_interval,
)

VALUES = st.lists(st.floats(-1, 1, width=16), min_size=1, max_size=30)


def reciprocal_ranks(count: int, generator: np.random.Generator) -> np.ndarray:
    """MRR@10 of questions of which some are easy: the rank of the relevant passage is geometric."""
    ranks = generator.geometric(generator.beta(1.5, 1.0, count))
    return np.where(ranks <= 10, 1 / ranks, 0.0)


def discounted_gains(count: int, generator: np.random.Generator) -> np.ndarray:
    """nDCG@10 of questions with several relevant passages: no two alike, some perfect."""
    return np.minimum(generator.beta(1.6, 1.2, count) * 1.15, 1.0)


def reranked(count: int, generator: np.random.Generator) -> np.ndarray:
    """Differences of two systems of which one is a little better: most questions stay as they were."""
    moved = generator.random(count) < 0.4
    return np.where(moved, generator.normal(0.03, 0.3, count), 0.0)


@pytest.mark.parametrize(
    ("draw", "questions", "most"),
    [
        *itertools.product((reciprocal_ranks, discounted_gains), (20, 50, 200), (0.97,)),
        *itertools.product((reranked,), (50, 200), (0.97,)),
        (reranked, 20, 0.985),  # eight questions that moved: wider than need be
    ],
)
def test_the_95_percent_interval_holds_the_truth_in_93_to_97_of_100_simulations(draw, questions, most) -> None:
    generator = np.random.default_rng(5)
    truth = draw(1_000_000, generator).mean()
    trials = 1000
    held = 0
    for trial in range(trials):
        low, high = bootstrap_interval(draw(questions, generator), draws=400, seed=trial)
        held += low <= truth <= high
    assert 0.93 <= held / trials <= most


@pytest.mark.parametrize("questions", [20, 200])
def test_the_paired_test_raises_3_to_7_false_alarms_in_100_simulations(questions) -> None:
    generator = np.random.default_rng(6)
    trials = 1000
    alarms = 0
    for trial in range(trials):
        moved = generator.random(questions) < 0.6
        differences = np.where(moved, generator.normal(0, 0.3, questions), 0.0)
        alarms += paired_test(differences, draws=600, seed=trial) <= 0.05
    assert 0.03 <= alarms / trials <= 0.07


def test_the_paired_test_finds_a_difference_that_is_there() -> None:
    differences = np.random.default_rng(3).normal(0.1, 0.3, 300)
    assert paired_test(differences) == pytest.approx(1 / 10_001)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.floats(-1, 1, width=16), min_size=1, max_size=10))
def test_few_differences_are_counted_exactly_whatever_their_number_of_zeros(differences: list[float]) -> None:
    observed = abs(sum(differences))
    patterns = list(itertools.product((-1, 1), repeat=len(differences)))
    as_far = sum(abs(np.dot(signs, differences)) >= observed - 1e-9 for signs in patterns)
    moved = [one for one in differences if abs(one) > 1e-9]
    exact = as_far / len(patterns) if moved else 1.0
    assert paired_test(differences) == pytest.approx(exact, abs=1e-6)
    assert paired_test([*differences, *([0.0] * 50)]) == pytest.approx(exact, abs=1e-6)


def test_random_signs_agree_with_scipy() -> None:
    differences = np.random.default_rng(4).normal(0.05, 0.3, 60)
    theirs = stats.permutation_test(
        (differences,), np.mean, permutation_type="samples", n_resamples=20_000, rng=np.random.default_rng(0)
    )
    assert paired_test(differences, draws=20_000) == pytest.approx(theirs.pvalue, abs=0.015)


def test_blocks_of_random_signs_do_not_change_what_is_counted() -> None:
    """More numbers than are held at once."""
    differences = np.random.default_rng(1).normal(0.002, 0.1, 5000)
    theirs = stats.ttest_1samp(differences, 0).pvalue
    assert paired_test(differences, draws=2000) == pytest.approx(theirs, abs=0.04)


@settings(deadline=None, max_examples=60)
@given(VALUES)
def test_the_interval_lies_around_the_mean_and_is_the_same_again(values: list[float]) -> None:
    low, high = bootstrap_interval(values, draws=300)
    assert low <= np.mean(values) <= high
    assert (low, high) == bootstrap_interval(np.array(values), draws=300)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.floats(0, 1, width=16), min_size=1, max_size=30))
def test_the_interval_of_a_measure_stays_between_0_and_1(values: list[float]) -> None:
    found = estimate(values, draws=300)
    assert 0 <= found.low <= found.mean <= found.high <= 1


def test_counts_above_1_may_have_an_interval_above_1_and_none_below_0() -> None:
    found = estimate([0.0, 0.0, 0.0, 900.0])
    assert found.low == 0
    assert found.high > 900 / 4


def test_many_equal_values_are_resampled_as_any_others() -> None:
    """Few different values are drawn by how often each comes; a trace of noise makes them all different."""
    values = np.random.default_rng(2).choice([0.0, 0.5, 1.0], 400)
    noisy = values + np.random.default_rng(2).normal(0, 1e-7, 400)
    assert bootstrap_interval(values) == pytest.approx(bootstrap_interval(noisy), abs=0.003)
    t_interval = stats.t.interval(0.95, 399, values.mean(), stats.sem(values))
    assert bootstrap_interval(values) == pytest.approx(t_interval, abs=0.005)


def test_a_wider_level_has_a_wider_interval() -> None:
    values = np.random.default_rng(2).random(50)
    (low, high), (lower, higher) = bootstrap_interval(values, 0.8), bootstrap_interval(values, 0.99)
    assert lower < low < high < higher


def test_equal_values_have_an_interval_without_width_and_no_values_have_none() -> None:
    assert bootstrap_interval([0.7] * 5) == pytest.approx((0.7, 0.7))
    with pytest.raises(InputError, match="at least one value"):
        estimate([])


def test_a_difference_counts_wins_ties_and_losses() -> None:
    found = difference([1.0, 0.5, 0.5 + 1e-12, 0.25, 0.9], [0.5, 0.5, 0.5, 0.5, 0.4])
    assert (found.wins, found.ties, found.losses) == (2, 2, 1)
    assert found.mean == pytest.approx(0.15)
    assert found.low < 0.15 < found.high
    assert found.p_value == found.p_holm == pytest.approx(4 / 8)  # of the signs of 0.5, 0.5 and 0.25


def test_holm_equals_the_procedure_by_hand_and_keeps_the_order() -> None:
    assert holm([]) == []
    assert holm([0.04]) == [0.04]
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]


@settings(max_examples=50)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_never_lowers_a_p_value_and_never_reorders(p_values: list[float]) -> None:
    corrected = holm(p_values)
    assert all(after >= before for before, after in zip(p_values, corrected, strict=True))
    for (a, x), (b, y) in itertools.combinations(zip(p_values, corrected, strict=True), 2):
        assert (a <= b and x <= y) or (a >= b and x >= y)


@pytest.mark.parametrize(("successes", "count"), [(0, 10), (3, 10), (10, 10), (40, 90)])
def test_wilson_equals_scipy(successes: int, count: int) -> None:
    theirs = stats.binomtest(successes, count).proportion_ci(method="wilson")
    assert wilson_interval(successes, count) == pytest.approx((theirs.low, theirs.high), abs=1e-9)


def test_wilson_of_nothing_says_nothing() -> None:
    assert wilson_interval(0, 0) == (0.0, 1.0)
