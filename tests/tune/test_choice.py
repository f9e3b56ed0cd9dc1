"""Which setting is chosen, and with which questions."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secondpass.errors import InputError
from secondpass.tune.choice import (
    Seen,
    check_wishes,
    choose,
    find_curve,
    say_what_fails,
    shortfalls,
    surely_kept,
)
from secondpass.tune.records import Wishes


def seen(kept: float, tokens: float = 500, p95_ms: float = 100, answerable: int = 400) -> Seen:
    return Seen(kept, kept, tokens, answerable, p95_ms, p95_ms / 2 + tokens)


SETTINGS = [
    seen(0.70, 200, 0),
    seen(0.90, 400, 20),
    seen(0.955, 900, 150),
    seen(0.96, 1500, 160),
    seen(0.962, 1500, 900),
]


def test_quality_is_the_cheapest_within_a_standard_error_of_the_best() -> None:
    assert choose(SETTINGS, Wishes()) == (2, True)


def test_the_cheapest_is_the_one_that_surely_keeps_what_is_wished_for() -> None:
    assert choose(SETTINGS, Wishes(keep_answer=0.85, prefer="cheap")) == (1, True)
    assert choose(SETTINGS, Wishes(keep_answer=0.90, prefer="cheap")) == (2, True)  # 0.90 seen is not 0.90 for sure


def test_wishes_bound_what_is_chosen() -> None:
    assert choose(SETTINGS, Wishes(latency_seconds=0.05)) == (1, True)
    assert choose(SETTINGS, Wishes(context_tokens=300)) == (0, True)
    assert choose(SETTINGS, Wishes(latency_seconds=0.155, context_tokens=1000)) == (2, True)


def test_where_no_setting_meets_a_wish_it_is_named_and_the_nearest_setting_is_chosen() -> None:
    wishes = Wishes(keep_answer=0.99)
    place, met = choose(SETTINGS, wishes)
    assert not met
    assert place == 4
    (said,) = say_what_fails(SETTINGS, wishes, place)
    assert said.startswith("No setting is sure to keep 99.0% of answers: the most is 96.2% of 400 questions")


def test_the_nearest_setting_has_no_threshold_that_loses_more() -> None:
    with_threshold = Seen(0.8, 0.9, 300, 400, 100, 350)
    assert choose([with_threshold, seen(0.9, 900)], Wishes(keep_answer=0.99)) == (1, False)


def test_wishes_that_can_be_met_alone_but_not_together_are_called_that() -> None:
    wishes = Wishes(keep_answer=0.92, context_tokens=500)
    place, met = choose(SETTINGS, wishes)
    assert not met
    assert place == 1
    (said,) = say_what_fails(SETTINGS, wishes, place)
    assert said == "Each wish can be met, but not all together: the nearest setting misses keep answer."


def test_a_time_that_is_not_known_meets_no_wish_for_time() -> None:
    unknown = replace(seen(0.99), p95_ms=float("inf"), cost=float("inf"))
    assert choose([unknown, seen(0.5)], Wishes(latency_seconds=1.0)) == (1, True)
    assert choose([unknown], Wishes(latency_seconds=1.0))[1] is False


def test_a_threshold_does_not_count_against_the_wish_that_it_is_fitted_to() -> None:
    with_threshold = Seen(0.951, 0.98, 300, 400, 100, 350)
    assert shortfalls(with_threshold, Wishes(keep_answer=0.95)) == {"keep_answer": 0.0}
    assert choose([seen(0.98, 900), with_threshold], Wishes(keep_answer=0.95, prefer="cheap")) == (1, True)


@pytest.mark.parametrize("kept", [0.8, 0.95, 1.0])
def test_few_questions_prove_little(kept: float) -> None:
    few, many = surely_kept(seen(kept, answerable=10)), surely_kept(seen(kept, answerable=10_000))
    assert few < many < kept


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=30))
def test_the_curve_holds_exactly_what_nothing_cheaper_or_as_cheap_beats(points: list[tuple[int, int]]) -> None:
    settings = [Seen(kept / 10, kept / 10, cost, 100, 0.0, float(cost)) for kept, cost in points]
    curve = find_curve(settings)
    costs = [settings[place].cost for place in curve]
    keeps = [settings[place].keep_answer for place in curve]
    assert costs == sorted(set(costs))
    assert keeps == sorted(set(keeps))
    for one in settings:
        assert any(settings[p].cost <= one.cost and settings[p].keep_answer >= one.keep_answer for p in curve)


@pytest.mark.parametrize(
    ("wishes", "said"),
    [
        (Wishes(keep_answer=95), "keep-answer is 95"),
        (Wishes(keep_answer=1.0), "between 0 and 1"),
        (Wishes(alpha=0.0), "alpha is 0"),
        (Wishes(prefer="cheap"), "keeps nothing"),
    ],
)
def test_wishes_that_mean_nothing_are_refused(wishes: Wishes, said: str) -> None:
    with pytest.raises(InputError, match=said):
        check_wishes(wishes)
