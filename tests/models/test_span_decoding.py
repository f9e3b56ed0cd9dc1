"""The span of a passage's tokens that agrees best with what the logits make likely, against plain loops."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.models.span_loops import agreements

from secondpass.models.span_decoding import CANDIDATES, LONGEST_TOKENS, best_spans


@settings(max_examples=60, deadline=None)
@given(
    lengths=st.lists(st.integers(0, 40), min_size=1, max_size=4),
    longest=st.integers(1, 50),
    spread=st.sampled_from([0.1, 3.0, 60.0]),
    seed=st.integers(0, 99),
)
def test_every_passage_gets_the_span_that_loops_find_whatever_stands_beside_it(lengths, longest, spread, seed):
    logits = (np.random.default_rng(seed).standard_normal((sum(lengths), 2)) * spread).astype(np.float32)
    found = best_spans(logits, lengths, longest)
    begin = 0
    for length, span in zip(lengths, found, strict=True):
        own = logits[begin : begin + length]
        begin += length
        if not length:
            assert span is None
            continue
        sharpened, plain = agreements(own, longest)
        assert sharpened[span.first, span.end] == pytest.approx(max(sharpened.values()), abs=1e-6)
        assert span.confidence == pytest.approx(plain[span.first, span.end], abs=1e-6)
        assert span.end - span.first <= longest


def test_a_clear_beginning_and_end_are_the_span_with_all_confidence():
    logits = np.array([[900.0, -900.0], [-900.0, 900.0], [0.0, 0.0]], np.float32)
    [span] = best_spans(logits, [3])
    assert (span.first, span.end) == (0, 2)
    assert span.confidence == pytest.approx(1.0)


def test_of_many_spans_that_overlap_the_one_that_agrees_with_most_is_taken():
    """A single token is likelier than each of five long spans beside it, and less likely than all of them."""
    logits = np.full((30, 2), -20.0, np.float32)
    logits[25] = 2.0  # a span of one token, score 4
    logits[10:15, 0] = 1.5
    logits[20, 1] = 2.2  # spans from 10 ... 14 to 20, score 3.7 each
    [span] = best_spans(logits, [30])
    assert 10 <= span.first < 15
    assert span.end in {21, 26}
    logits[25] = 9.0
    [span] = best_spans(logits, [30])
    assert (span.first, span.end) == (25, 26)


def test_no_span_is_longer_than_asked_for():
    logits = np.zeros((100, 2), np.float32)
    logits[0, 0] = logits[99, 1] = 50.0
    [span] = best_spans(logits, [100])
    assert span.end - span.first <= LONGEST_TOKENS
    assert span.confidence < 0.9  # a beginning and an end that are too far apart speak for many spans each


def test_where_no_likely_end_follows_a_likely_beginning_one_token_is_taken():
    logits = np.zeros((200, 2), np.float32)
    logits[-CANDIDATES:, 0] = logits[:CANDIDATES, 1] = 9.0
    logits[100] = 8.0
    [span] = best_spans(logits, [200])
    assert (span.first, span.end, span.confidence) == (100, 101, 1.0)


def test_of_equal_spans_the_longest_agrees_best_and_nothing_is_pointed_at_in_nothing():
    [span] = best_spans(np.zeros((2, 2), np.float32), [2])
    assert (span.first, span.end) == (0, 2)
    assert span.confidence == pytest.approx((1 + 2 / 3 + 2 / 3) / 3)
    assert best_spans(np.zeros((0, 2), np.float32), [0, 0]) == [None, None]
