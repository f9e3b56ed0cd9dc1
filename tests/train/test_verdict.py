"""Better, worse, or nothing that can be shown."""

from __future__ import annotations

import numpy as np

from secondpass.train.development import DevList, Measured, measure
from secondpass.train.verdict import judge


def lists(count: int) -> list[DevList]:
    return [DevList(str(number), f"问题 {number}", ("甲", "乙", "丙", "丁"), (0, 0, 1, 0)) for number in range(count)]


def measured(right: list[bool]) -> Measured:
    scores = [np.float32([0.0, 0.1, 1.0 if good else -1.0, 0.2]) for good in right]
    return measure(lists(len(right)), scores)


def test_a_model_that_orders_more_questions_right_got_better_and_the_other_way_round() -> None:
    bad, good = measured([False] * 30 + [True] * 10), measured([True] * 40)
    better = judge("dev", lists(40), bad, good)
    assert (better.kind, better.worst) == ("better", ())
    assert str(better).startswith("On dev it got better (+42.7 nDCG@10")
    worse = judge("dev", lists(40), good, bad)
    assert worse.kind == "worse"
    assert [question.query for question in worse.worst] == [f"问题 {number}" for number in range(5)]


def test_a_difference_that_chance_explains_is_not_called_an_improvement() -> None:
    verdict = judge("dev", lists(40), measured([False] * 3 + [True] * 37), measured([True] * 38 + [False] * 2))
    assert verdict.kind == "not shown"
    assert str(verdict).endswith("do not call it an improvement.")


def test_scores_all_alike_stand_on_the_line_of_nothing_learned() -> None:
    found = measure(lists(3), [np.zeros(4, np.float32)] * 3)
    assert found.loss == found.line
    assert abs(found.line - np.log(4)) < 1e-6
    assert found.spread == 0
