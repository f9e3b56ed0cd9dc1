"""From the two logits of every token to the best span of each passage, and how sure the model is of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from secondpass.types import FloatArray

LONGEST_TOKENS = 40
"""No evidence is longer: a sentence's worth of tokens; what answers is mostly a few."""


@dataclass(frozen=True, slots=True)
class TokenSpan:
    """Tokens ``[first, end)`` of a passage, and the probability of exactly that span among all spans of it."""

    first: int
    end: int
    confidence: float


def best_spans(
    logits: FloatArray, passages: Sequence[Sequence[int]], count: int = 1, longest_tokens: int = LONGEST_TOKENS
) -> list[tuple[TokenSpan, ...]]:
    """Return the ``count`` likeliest spans of each of several passages, the best first; none of one without tokens.

    ``logits``: float32 [T, 2], of each token as the first and as the last of a span, passage after passage.
    ``passages``: of each passage, how many tokens its paragraphs have; no span goes from one into the next. A span's
    score is the sum of two logits (Devlin et al., arXiv:1810.04805, section 4.2), its confidence the softmax of that
    over the passage's spans of at most ``longest_tokens`` tokens; of equals the first wins.
    """
    lengths = [sum(paragraphs) for paragraphs in passages]
    sizes = np.array([length for length in lengths if length], np.int64)
    if not len(sizes):
        return [()] * len(lengths)
    ends = np.cumsum(sizes)
    begins = ends - sizes
    owner = np.repeat(np.arange(len(sizes)), sizes)
    of_paragraphs = np.array([length for paragraphs in passages for length in paragraphs], np.int64)
    left = np.repeat(np.cumsum(of_paragraphs), of_paragraphs) - np.arange(len(owner))  # tokens to the paragraph's end
    last = np.concatenate([logits[:, 1], np.full(longest_tokens - 1, -np.inf, np.float32)])
    # sums[t, d]: of the span from t to t + d, float32 [T, longest].
    sums = logits[:, :1] + np.lib.stride_tricks.sliding_window_view(last, longest_tokens)
    sums[np.arange(longest_tokens) >= left[:, None]] = -np.inf
    of_token = sums.max(axis=1)
    best = np.maximum.reduceat(of_token, begins)
    shares = np.exp(sums - best[owner][:, None]).sum(axis=1, dtype=np.float64)
    totals = np.add.reduceat(shares, begins)
    found = iter(
        _likeliest(sums[begin:end], of_token[begin:end], count, total)
        for begin, end, total in zip(begins.tolist(), ends.tolist(), totals.tolist(), strict=True)
    )
    return [next(found) if length else () for length in lengths]


def _likeliest(sums: FloatArray, of_token: FloatArray, count: int, total: float) -> tuple[TokenSpan, ...]:
    """Return the ``count`` likeliest spans of one passage, whose exponentials beside the best sum up to ``total``."""
    # A span among the first `count` begins at a token whose best span is.
    firsts = np.sort(np.argsort(-of_token, kind="stable")[:count])
    values = sums[firsts]
    places = np.argsort(-values, axis=None, kind="stable")[:count]
    rows, more = np.unravel_index(places, values.shape)
    chosen = values[rows, more].astype(np.float64)
    spans = zip(firsts[rows].tolist(), more.tolist(), np.exp(chosen - chosen[0]).tolist(), strict=True)
    return tuple(TokenSpan(first, first + extra + 1, share / total) for first, extra, share in spans if share)
