"""From the two logits of every token to the span of each passage that is likeliest to overlap with the answer.

The likeliest span of all is often one of many that begin or end a word apart, and none of them likely. The one that
agrees best with all of them by their probabilities is nearer to what people mark: decoding for the least expected loss
(Kumar and Byrne, "Minimum Bayes-Risk Decoding for Statistical Machine Translation", NAACL 2004), the loss being one
minus the F1 of tokens that questions with spans as answers are scored by (Rajpurkar et al., arXiv:1606.05250).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from secondpass.types import FloatArray

LONGEST_TOKENS = 60
"""No evidence is longer: a sentence's worth of tokens; what answers is mostly a few."""
CANDIDATES = 16
"""Spans are compared that begin with one of so many tokens, and end with one of so many."""
SHARPNESS = 1.25
"""What logits are multiplied with before spans are compared: fitted on dev questions (docs/log.md)."""
_Scores = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class TokenSpan:
    """Tokens ``[first, end)`` of a passage; ``confidence``: how much they are expected to agree with the answer.

    That is the mean F1, from 0 to 1, of the span with all that were compared, by the model's own probabilities.
    """

    first: int
    end: int
    confidence: float


def best_spans(
    logits: FloatArray, lengths: Sequence[int], longest_tokens: int = LONGEST_TOKENS
) -> list[TokenSpan | None]:
    """Return the best span of each of several passages; None of one without tokens.

    ``logits``: float32 [T, 2], of each token as the first and as the last of a span, passage after passage, of
    ``lengths`` tokens each. A span's score is the sum of two logits (Devlin et al., arXiv:1810.04805, section 4.2).
    """
    ends = np.cumsum(lengths, dtype=np.int64).tolist()
    return [
        _best_span(logits[end - length : end].astype(np.float64), longest_tokens) if length else None
        for end, length in zip(ends, lengths, strict=True)
    ]


def _best_span(logits: _Scores, longest_tokens: int) -> TokenSpan:
    """Return the best span of one passage, float64 [T, 2] with T > 0; of equals the first."""
    firsts, lasts = (_highest(logits[:, side]) for side in (0, 1))
    first, last = (one.ravel() for one in np.meshgrid(firsts, lasts, indexing="ij"))
    whole = (last >= first) & (last - first < longest_tokens)
    if not whole.any():
        first = last = logits.sum(axis=1).argmax(keepdims=True)
    else:
        first, last = first[whole], last[whole]
    agreement = _f1(first, last + 1)
    scores = logits[first, 0] + logits[last, 1]
    best = int((agreement @ _softmax(SHARPNESS * scores)).argmax())
    return TokenSpan(int(first[best]), int(last[best]) + 1, float(agreement[best] @ _softmax(scores)))


def _highest(logits: _Scores) -> npt.NDArray[np.int64]:
    """Return the places of the highest of one side's logits, ascending."""
    return np.sort(np.argsort(-logits, kind="stable")[:CANDIDATES])


def _f1(first: npt.NDArray[np.int64], end: npt.NDArray[np.int64]) -> _Scores:
    """Return how much spans agree with each other, float64 [S, S]: twice what they share by the sum of their sizes."""
    shared = np.minimum(end[:, None], end) - np.maximum(first[:, None], first)
    size = end - first
    agreement: _Scores = 2 * np.maximum(shared, 0) / (size[:, None] + size)
    return agreement


def _softmax(scores: _Scores) -> _Scores:
    powers = np.exp(scores - scores.max())
    shares: _Scores = powers / powers.sum()
    return shares
