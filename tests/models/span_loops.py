"""The span of a passage's tokens that agrees best with all likely ones, by plain loops."""

from __future__ import annotations

import math

import numpy as np

from secondpass.models.span_decoding import CANDIDATES, LONGEST_TOKENS, SHARPNESS

Span = tuple[int, int]


def agreements(logits: np.ndarray, longest: int = LONGEST_TOKENS) -> tuple[dict[Span, float], dict[Span, float]]:
    """Return what each compared span [first, end) is expected to agree with the answer: sharpened, and as it is."""
    firsts, lasts = (sorted(range(len(logits)), key=lambda place: -logits[place, side])[:CANDIDATES] for side in (0, 1))
    spans = [(first, last + 1) for first in sorted(firsts) for last in sorted(lasts) if first <= last < first + longest]
    likeliest = max(range(len(logits)), key=lambda place: logits[place].sum())
    sums = {
        (first, end): float(logits[first, 0] + logits[end - 1, 1])
        for first, end in spans or [(likeliest, likeliest + 1)]
    }
    return _expected(sums, SHARPNESS), _expected(sums, 1.0)


def _expected(sums: dict[Span, float], sharpness: float) -> dict[Span, float]:
    highest = max(sums.values())
    powers = {span: math.exp(sharpness * (value - highest)) for span, value in sums.items()}
    total = sum(powers.values())
    return {one: sum(_f1(one, other) * power for other, power in powers.items()) / total for one in sums}


def _f1(one: Span, other: Span) -> float:
    shared = len(set(range(*one)) & set(range(*other)))
    return 2 * shared / (one[1] - one[0] + other[1] - other[0])
