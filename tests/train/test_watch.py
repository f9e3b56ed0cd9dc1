"""A run that learns nothing is noticed, one that learns is left alone."""

from __future__ import annotations

import math

from secondpass.train.watch import Watch


def watched(losses: list[float], spreads: list[float], line: float | None) -> Watch:
    watch = Watch()
    for loss, spread in zip(losses, spreads, strict=True):
        watch.see(loss, line, spread)
    return watch


def test_a_loss_on_the_line_is_a_collapse_within_a_hundred_steps() -> None:
    watch = watched([0.6931] * 100, [0.2] * 100, math.log(2))
    assert watch.collapse(100) is not None
    assert "0.693" in str(watch.collapse(100))


def test_scores_all_alike_are_a_collapse_whatever_the_loss() -> None:
    assert watched([0.1] * 60, [0.001] * 60, None).collapse(100) is not None


def test_a_run_that_leaves_the_line_is_none() -> None:
    falling = [2.079 * 0.99**step for step in range(100)]
    assert watched(falling, [0.05 + 0.02 * step for step in range(100)], 2.079).collapse(100) is None


def test_few_steps_say_nothing() -> None:
    assert watched([2.079] * 59, [0.0] * 59, 2.079).collapse(100) is None
