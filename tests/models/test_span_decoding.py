"""The likeliest spans of a passage's tokens, and their probability, against plain loops."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secondpass.models.span_decoding import LONGEST_TOKENS, best_spans


def by_loops(logits, paragraphs, longest):
    """Return the score of every span, and the sum of their exponentials beside the best."""
    sums = {}
    begin = 0
    for length in paragraphs:
        for first in range(begin, begin + length):
            for last in range(first, min(begin + length, first + longest)):
                sums[first, last + 1] = float(logits[first, 0]) + float(logits[last, 1])
        begin += length
    best = max(sums.values())
    return sums, sum(math.exp(value - best) for value in sums.values())


@settings(max_examples=80, deadline=None)
@given(
    passages=st.lists(st.lists(st.integers(0, 40), min_size=1, max_size=3), min_size=1, max_size=4),
    count=st.integers(1, 9),
    longest=st.integers(1, 50),
    spread=st.sampled_from([0.1, 3.0, 20.0]),
    seed=st.integers(0, 99),
)
def test_every_passage_gets_the_spans_that_loops_find_whatever_stands_beside_it(passages, count, longest, spread, seed):
    total = sum(map(sum, passages))
    logits = (np.random.default_rng(seed).standard_normal((total, 2)) * spread).astype(np.float32)
    found = best_spans(logits, passages, count, longest)
    begin = 0
    for paragraphs, spans in zip(passages, found, strict=True):
        own = logits[begin : begin + sum(paragraphs)]
        begin += len(own)
        if not len(own):
            assert spans == ()
            continue
        sums, together = by_loops(own, paragraphs, longest)
        wanted = sorted(sums.values(), reverse=True)[:count]
        said = [sums[span.first, span.end] for span in spans]
        assert len({(span.first, span.end) for span in spans}) == len(spans)
        assert said == pytest.approx(wanted[: len(said)], abs=1e-4)
        assert all(math.exp(value - wanted[0]) < 1e-300 for value in wanted[len(said) :])
        for span, value in zip(spans, said, strict=True):
            assert span.confidence == pytest.approx(math.exp(value - wanted[0]) / together, rel=1e-3)


def test_logits_that_overflow_an_exponential_leave_a_probability():
    logits = np.array([[900.0, -900.0], [-900.0, 900.0], [0.0, 0.0]], np.float32)
    [[span]] = best_spans(logits, [(3,)], 5)
    assert (span.first, span.end) == (0, 2)
    assert span.confidence == pytest.approx(1.0)


def test_no_span_is_longer_than_asked_for():
    logits = np.zeros((100, 2), np.float32)
    logits[0, 0] = logits[99, 1] = 50.0
    [[span]] = best_spans(logits, [(100,)])
    assert span.end - span.first <= LONGEST_TOKENS
    assert span.confidence < 0.6  # a beginning and an end that are too far apart speak for many spans each


def test_no_span_goes_from_one_paragraph_into_the_next():
    logits = np.zeros((6, 2), np.float32)
    logits[1, 0] = logits[3, 1] = 9.0
    assert [(span.first, span.end) for [span] in best_spans(logits, [(6,)])] == [(1, 4)]
    spans = best_spans(logits, [(3, 3)], 8)[0]
    assert spans[0].first == 1
    assert all(span.end <= 3 or span.first >= 3 for span in spans)


def test_of_equal_spans_the_first_is_taken_with_an_equal_share():
    [[span]] = best_spans(np.zeros((2, 2), np.float32), [(2,)])
    assert (span.first, span.end, span.confidence) == (0, 1, pytest.approx(1 / 3))
    assert best_spans(np.zeros((0, 2), np.float32), [(0,), ()]) == [(), ()]
