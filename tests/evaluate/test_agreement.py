"""Agreement of two orders, against its definitions."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from secondpass.errors import InputError
from secondpass.evaluate.agreement import kendall_tau, rank_biased_overlap

ORDERS = st.lists(st.sampled_from(["a", "b", "c", "d", "甲", "乙", "丙"]), unique=True)


def extrapolated(first: list[str], second: list[str], p: float) -> float:
    """Equation 32 of Webber, Moffat and Zobel (2010), term by term."""
    short, long = sorted((first, second), key=len)
    s, l = len(short), len(long)  # noqa: E741 - the letters of the paper
    overlap = [0] + [len(set(long[:d]) & set(short[:d])) for d in range(1, l + 1)]
    seen = sum(overlap[d] / d * p**d for d in range(1, l + 1))
    unseen = sum(overlap[s] * (d - s) / (s * d) * p**d for d in range(s + 1, l + 1))
    return (1 - p) / p * (seen + unseen) + ((overlap[l] - overlap[s]) / l + overlap[s] / s) * p**l


@given(ORDERS, ORDERS, st.sampled_from([0.5, 0.9, 0.98]))
def test_rank_biased_overlap_equals_its_formula(first: list[str], second: list[str], p: float) -> None:
    found = rank_biased_overlap(first, second, p)
    if first and second:
        assert found == pytest.approx(extrapolated(first, second, p), abs=1e-12)
    assert found == pytest.approx(rank_biased_overlap(second, first, p))
    assert -1e-12 <= found <= 1 + 1e-12


def test_the_beginning_weighs_most() -> None:
    order = list("abcdefghij")
    first_swapped, last_swapped = list("bacdefghij"), list("abcdefghji")
    assert rank_biased_overlap(order, first_swapped) < rank_biased_overlap(order, last_swapped) < 1


def test_an_order_agrees_with_itself_and_nothing_agrees_with_nothing() -> None:
    assert rank_biased_overlap(["甲", "乙"], ["甲", "乙"]) == pytest.approx(1)
    assert rank_biased_overlap([], []) == 1
    assert rank_biased_overlap(["甲"], []) == 0


@given(ORDERS, ORDERS)
def test_kendall_tau_equals_scipy_on_what_both_hold(first: list[str], second: list[str]) -> None:
    common = [passage for passage in first if passage in second]
    found = kendall_tau(first, second)
    if len(common) < 2:
        assert math.isnan(found)
    else:
        theirs = stats.kendalltau([first.index(one) for one in common], [second.index(one) for one in common])
        assert found == pytest.approx(theirs.statistic)


def test_what_stands_twice_is_refused() -> None:
    with pytest.raises(InputError, match="'甲' stands twice"):
        kendall_tau(["甲", "甲"], ["甲"])
    with pytest.raises(InputError, match="'a' stands twice"):
        rank_biased_overlap(["b"], ["a", "b", "a"])


@pytest.mark.parametrize("p", [0.0, 1.0, -1.0])
def test_p_lies_between_0_and_1(p: float) -> None:
    with pytest.raises(InputError, match="between 0 and 1"):
        rank_biased_overlap(["a"], ["b"], p)
