"""Thresholds keep what conformal risk control promises; real splits are in benchmarks/intervals.py."""

from __future__ import annotations

import numpy as np
import pytest

from secondpass.errors import InputError
from secondpass.evaluate.conformal import choose_threshold, cut_losses, held_out_risk


@pytest.mark.parametrize("alpha", [0.05, 0.2])
@pytest.mark.parametrize("questions", [30, 200])
def test_the_answers_lost_on_fresh_questions_are_at_most_what_was_promised(alpha: float, questions: int) -> None:
    generator = np.random.default_rng(4)
    risks = []
    for _ in range(1500):
        calibrating, fresh = generator.normal(2, 1.5, questions), generator.normal(2, 1.5, 300)
        thresholds = np.unique(calibrating)
        chosen = choose_threshold(cut_losses(calibrating, thresholds), thresholds, alpha)
        assert chosen is not None
        risks.append((fresh < chosen).mean())
    # Exact in the mean over draws; it is no less than alpha - 2 / (n + 1), so that the promise costs next to nothing.
    assert alpha - 2 / (questions + 1) - 0.004 <= np.mean(risks) <= alpha + 0.004


def test_losses_between_0_and_1_keep_the_promise_too() -> None:
    """The share of a question's relevant passages that a threshold cuts."""
    generator = np.random.default_rng(9)
    thresholds = np.linspace(-3, 3, 200)

    def losses(count: int) -> np.ndarray:
        scores = generator.normal(1, 1, (count, 1)) + generator.normal(0, 0.7, (count, 4))
        return (scores[:, :, None] < thresholds).mean(axis=1)

    risks = []
    for _ in range(600):
        chosen = choose_threshold(losses(50), thresholds, 0.1)
        risks.append(losses(200)[:, thresholds == chosen].mean())
    assert np.mean(risks) <= 0.1 + 0.005


def test_by_hand_the_most_selective_threshold_is_chosen() -> None:
    losses = cut_losses([0.9, 0.8, 0.7, 0.2], thresholds=[0.1, 0.5, 0.75, 0.85])
    assert losses.tolist() == [[0, 0, 0, 0], [0, 0, 0, 1], [0, 0, 1, 1], [0, 1, 1, 1]]
    # (sum + 1) / 5 is 0.2, 0.4, 0.6, 0.8
    assert choose_threshold(losses, [0.1, 0.5, 0.75, 0.85], 0.4) == 0.5
    assert choose_threshold(losses, [0.1, 0.5, 0.75, 0.85], 0.59) == 0.5
    assert choose_threshold(losses, [0.1, 0.5, 0.75, 0.85], 0.6) == 0.75
    assert choose_threshold(losses, [0.1, 0.5, 0.75, 0.85], 0.2) == 0.1


def test_a_passage_at_the_threshold_is_kept() -> None:
    assert cut_losses([0.5], [0.5]).tolist() == [[0.0]]


def test_too_few_questions_promise_nothing() -> None:
    """With n questions no risk below 1 / (n + 1) can be promised, whatever they say."""
    best = np.full(18, 5.0)
    assert choose_threshold(cut_losses(best, [0.0, 1.0]), [0.0, 1.0], 0.05) is None
    best = np.full(19, 5.0)
    assert choose_threshold(cut_losses(best, [0.0, 1.0]), [0.0, 1.0], 0.05) == 1.0
    assert choose_threshold(np.zeros((0, 2)), [0.0, 1.0], 0.05) is None


@pytest.mark.parametrize(
    ("losses", "thresholds", "said"),
    [
        ([[0.0, 1.0]], [0.1], "do not fit 1 thresholds"),
        ([0.0, 1.0], [0.1, 0.2], "one row per question"),
        ([[0.0, 1.0]], [0.2, 0.1], "do not ascend"),
        ([[1.0, 0.0]], [0.1, 0.2], "A loss falls"),
        ([[0.0, 2.0]], [0.1, 0.2], "accepted is 0 to the bound 1"),
        ([[-1.0, 0.0]], [0.1, 0.2], "accepted is 0 to the bound 1"),
    ],
)
def test_what_would_break_the_promise_is_refused(losses, thresholds, said) -> None:
    with pytest.raises(InputError, match=said):
        choose_threshold(losses, thresholds, 0.5)


def test_a_higher_bound_counts() -> None:
    losses = np.array([[0.0, 2.0], [0.0, 0.0], [0.0, 0.0]])
    assert choose_threshold(losses, [0.0, 1.0], 1.0, bound=2.0) == 1.0
    assert choose_threshold(losses, [0.0, 1.0], 0.9, bound=2.0) == 0.0


def test_held_out_risk_has_a_width_where_nothing_was_lost() -> None:
    found = held_out_risk([0.0] * 50)
    assert (found.mean, found.low) == (0.0, 0.0)
    assert found.high == pytest.approx(0.071, abs=0.001)


def test_held_out_risk_of_shares_is_bootstrapped() -> None:
    found = held_out_risk([0.0, 0.25, 0.5, 0.0, 1.0, 0.25])
    assert found.mean == pytest.approx(1 / 3)
    assert 0 <= found.low < 1 / 3 < found.high <= 1
