"""Scores to an order: ties, cuts, and what a hit remembers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from secondpass.errors import InputError
from secondpass.rerank.ordering import order_by_score
from secondpass.types import Chunk, Hit, Span, StageScore


def hits_of(count: int) -> list[Hit]:
    return [Hit(Chunk(str(i), f"第{i}段"), 0.0, "bm25", evidence=Span(0, 1)) for i in range(count)]


@given(st.lists(st.integers(0, 3), max_size=20))
def test_higher_scores_come_first_and_ties_keep_the_given_order(values):
    out = order_by_score(hits_of(len(values)), np.array(values, np.float32), "test", "logit")
    assert [(-hit.score, int(hit.chunk.id)) for hit in out] == sorted((-v, i) for i, v in enumerate(values))


def test_each_hit_remembers_where_it_stood_after_every_stage():
    first = order_by_score(hits_of(3), np.array([0, 2, 1], np.float32), "bm25", "bm25")
    second = order_by_score(first, np.array([0.5, 0.25, 0.75], np.float32), "lexical", "log_odds")
    assert second[0].stages == (StageScore("bm25", 3, 0.0, "bm25"), StageScore("lexical", 1, 0.75, "log_odds"))


def test_the_cut_is_made_after_ordering():
    out = order_by_score(hits_of(3), np.array([0, 1, 2], np.float32), "test", "logit", top_n=1)
    assert [hit.chunk.text for hit in out] == ["第2段"]


def test_evidence_is_replaced_where_a_stage_names_it_and_kept_where_not():
    scores = np.array([1, 2], np.float32)
    named = order_by_score(hits_of(2), scores, "test", "logit", evidence=[None, Span(1, 2)])
    assert [hit.evidence for hit in named] == [Span(1, 2), None]
    assert [hit.evidence for hit in order_by_score(hits_of(2), scores, "test", "logit")] == [Span(0, 1)] * 2


@pytest.mark.parametrize("top_n", [0, -3])
def test_a_cut_to_nothing_is_refused_with_the_number_given(top_n):
    with pytest.raises(InputError, match=str(top_n)):
        order_by_score(hits_of(1), np.array([1], np.float32), "test", "logit", top_n)
