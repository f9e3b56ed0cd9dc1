"""The parts of the questions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.tune.tuning_tasks import make_task, pool_of

from secondpass.errors import InputError
from secondpass.tune.split import count_parts, split_questions


def test_every_question_is_in_one_part_and_every_part_has_its_share_of_each_kind() -> None:
    pool = pool_of(make_task(np.random.default_rng(1), 400, 10))
    parts = split_questions(pool)
    together = parts.choosing.astype(int) + parts.calibrating + parts.checking
    assert together.tolist() == [1] * 400
    for kind in (~pool.answerable, pool.in_pool, pool.answerable & ~pool.in_pool):
        shares = [
            float((part & kind).sum() / kind.sum()) for part in (parts.choosing, parts.calibrating, parts.checking)
        ]
        assert shares == pytest.approx([0.5, 0.25, 0.25], abs=0.03)
    counted = count_parts(pool, parts)
    assert (counted.questions, counted.choosing, counted.calibrating, counted.checking) == (400, 200, 100, 100)
    assert counted.in_pool < counted.answerable < 400


def test_the_order_of_questions_does_not_change_their_parts() -> None:
    task = make_task(np.random.default_rng(1), 60, 10)
    turned = replace(task, queries=dict(reversed(task.queries.items())))
    pool, other = pool_of(task), pool_of(turned)
    before = dict(zip(pool.query_ids, split_questions(pool).choosing.tolist(), strict=True))
    after = dict(zip(other.query_ids, split_questions(other).choosing.tolist(), strict=True))
    assert before == after


def test_too_few_answerable_questions_are_refused_with_what_to_do() -> None:
    pool = pool_of(make_task(np.random.default_rng(1), 7, 10))
    with pytest.raises(InputError, match=r"6 of 7 questions .* tuning needs 8 .*secondpass label"):
        split_questions(pool)
