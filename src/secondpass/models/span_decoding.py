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
    logits: FloatArray, lengths: Sequence[int], longest_tokens: int = LONGEST_TOKENS
) -> list[TokenSpan | None]:
    """Return the best span of each of several passages; None of one without tokens.

    ``logits``: float32 [T, 2], of each token as the first and as the last of a span, passage after passage, of
    ``lengths`` tokens each. A span's score is the sum of two logits (Devlin et al., arXiv:1810.04805, section 4.2),
    its confidence the softmax of that over the spans of at most ``longest_tokens`` tokens; of equals the first wins.
    """
    sizes = np.array([length for length in lengths if length], np.int64)
    if not len(sizes):
        return [None] * len(lengths)
    ends = np.cumsum(sizes)
    begins = ends - sizes
    owner = np.repeat(np.arange(len(sizes)), sizes)
    left = np.repeat(ends, sizes) - np.arange(len(owner))  # tokens from each to the end of its passage
    last = np.concatenate([logits[:, 1], np.full(longest_tokens - 1, -np.inf, np.float32)])
    # sums[t, d]: of the span from t to t + d, float32 [T, longest].
    sums = logits[:, :1] + np.lib.stride_tricks.sliding_window_view(last, longest_tokens)
    sums[np.arange(longest_tokens) >= left[:, None]] = -np.inf
    of_token = sums.max(axis=1)
    best = np.maximum.reduceat(of_token, begins)
    shares = np.exp(sums - best[owner][:, None]).sum(axis=1, dtype=np.float64)
    confidences = 1 / np.add.reduceat(shares, begins)
    found: list[TokenSpan] = []
    for begin, end, confidence in zip(begins.tolist(), ends.tolist(), confidences.tolist(), strict=True):
        first = int(of_token[begin:end].argmax())
        found.append(TokenSpan(first, first + int(sums[begin + first].argmax()) + 1, confidence))
    waiting = iter(found)
    return [next(waiting) if length else None for length in lengths]
