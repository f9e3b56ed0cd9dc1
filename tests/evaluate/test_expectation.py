"""The value of a random order is exact: it equals the mean over all orders, whichever measure it is of."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from secondpass.data.tasks import Candidate
from secondpass.evaluate.candidates import QuestionList
from secondpass.evaluate.expectation import expected_value
from secondpass.evaluate.measures import measure_orders, parse_measure

MEASURES = [parse_measure(name) for name in (
    "nDCG@1", "nDCG@3", "nDCG@10", "nDCG", "nDCG_burges@3", "MAP", "MAP@2", "MRR", "MRR@2", "Recall@1", "Recall@3",
    "Recall", "P@1", "P@3", "P@9", "hit@1", "hit@2", "hit@9", "Judged@2", "Judged@9",
)]  # fmt: skip
GRADES = some.dictionaries(some.sampled_from("甲乙丙丁戊XYZ"), some.integers(0, 3), max_size=8)


def question_of(doc_ids: str) -> QuestionList:
    return QuestionList("q", "问题", tuple(Candidate(doc_id) for doc_id in doc_ids), b"")


@settings(max_examples=60, deadline=None)
@given(grades=GRADES, size=some.integers(1, 5))
def test_it_is_the_mean_over_all_orders(grades: dict[str, int], size: int) -> None:
    doc_ids = "甲乙丙丁戊"[:size]
    orders = {str(number): list(order) for number, order in enumerate(permutations(doc_ids))}
    every = measure_orders(MEASURES, orders, dict.fromkeys(orders, grades))
    for measure in MEASURES:
        mean = np.mean(list(every[str(measure)].values()))
        assert expected_value(measure, question_of(doc_ids), grades) == pytest.approx(mean, abs=1e-12), str(measure)


def test_a_question_without_candidates_is_worth_nothing() -> None:
    assert expected_value(parse_measure("nDCG@10"), question_of(""), {"甲": 1}) == 0.0


def test_a_large_list_agrees_with_orders_that_are_drawn() -> None:
    doc_ids = [f"d{number}" for number in range(100)]
    grades = {f"d{number}": number % 3 for number in range(0, 100, 9)} | {"elsewhere": 2}
    question = QuestionList("q", "q", tuple(map(Candidate, doc_ids)), b"")
    generator = np.random.default_rng(5)
    orders = {str(draw): generator.permutation(doc_ids).tolist() for draw in range(3000)}
    found = measure_orders(MEASURES, orders, dict.fromkeys(orders, grades))
    for measure in MEASURES:
        values = np.array(list(found[str(measure)].values()))
        noise = 5 * values.std() / np.sqrt(len(values)) + 1e-12
        assert abs(values.mean() - expected_value(measure, question, grades)) <= noise, str(measure)
