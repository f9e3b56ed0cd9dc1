"""The best span of a passage's tokens, and its probability, against plain loops."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secondpass.models.span_decoding import LONGEST_TOKENS, best_spans


def by_loops(logits, longest):
    sums = {
        (first, last + 1): float(logits[first, 0]) + float(logits[last, 1])
        for first in range(len(logits))
        for last in range(first, min(len(logits), first + longest))
    }
    best = max(sums.values())
    return sums, best, 1 / sum(math.exp(value - best) for value in sums.values())


@settings(max_examples=80, deadline=None)
@given(
    lengths=st.lists(st.integers(0, 70), min_size=1, max_size=5),
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
        sums, best, confidence = by_loops(own, longest)
        assert sums[span.first, span.end] == pytest.approx(best, abs=1e-4)
        assert span.confidence == pytest.approx(confidence, rel=1e-3)


def test_logits_that_overflow_an_exponential_leave_a_probability():
    logits = np.array([[900.0, -900.0], [-900.0, 900.0], [0.0, 0.0]], np.float32)
    [span] = best_spans(logits, [3])
    assert (span.first, span.end) == (0, 2)
    assert span.confidence == pytest.approx(1.0)


def test_no_span_is_longer_than_asked_for():
    logits = np.zeros((100, 2), np.float32)
    logits[0, 0] = logits[99, 1] = 50.0
    [span] = best_spans(logits, [100])
    assert span.end - span.first <= LONGEST_TOKENS
    assert span.confidence < 0.6  # a beginning and an end that are too far apart speak for many spans each


def test_of_equal_spans_the_first_is_taken_with_an_equal_share():
    [span] = best_spans(np.zeros((2, 2), np.float32), [2])
    assert (span.first, span.end, span.confidence) == (0, 1, pytest.approx(1 / 3))
    assert best_spans(np.zeros((0, 2), np.float32), [0, 0]) == [None, None]
