"""How long a model takes on this machine: learned from what it reads."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from secondpass.text.language import estimate_tokens
from secondpass.types import PairScorer

_LEARNING = 0.3
_DOUBT = 0.01
_FIRST_SPREAD = 0.1
_QUERY = "速度 speed"
_SAMPLE = ("重排模型同时阅读问题和段落，给出相关程度的分数。", "A reranker reads question and passage together. ")
_CALLS = ([_SAMPLE[0]], [_SAMPLE[1] * 2], [_SAMPLE[0] * (4 + n) + _SAMPLE[1] * 4 for n in range(3)])
"""Passages of three calls: one that is not counted, because it loads what the others find, a short and a long one."""


def pair_tokens(query: str, passages: Sequence[str]) -> list[int]:
    """Estimate the tokens of the question with each passage."""
    query_tokens = estimate_tokens(query)
    return [query_tokens + estimate_tokens(passage) for passage in passages]


class Pace:
    """Seconds that a model takes: so many a call, and so many a token; safe to share between threads.

    Two numbers cannot be told apart by calls of one size, so that a new observation moves both by one factor.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._measuring = threading.Lock()
        self._per_call = 0.0
        self._per_token = 0.0
        self._factor = 1.0
        self._spread = _FIRST_SPREAD

    def measure(self, scorer: PairScorer) -> None:
        """Begin from calls of known sizes; one that has begun is not measured again."""
        with self._measuring:
            if self._per_token:
                return
            measured = []
            for passages in _CALLS:
                start = time.perf_counter()
                scorer.score(_QUERY, passages)
                measured.append((sum(pair_tokens(_QUERY, passages)), time.perf_counter() - start))
            _, (few, short), (many, long) = measured
            with self._lock:
                self._per_token = max((long - short) / (many - few), long / many / 4)
                self._per_call = max(long - self._per_token * many, 0.0)

    def learn(self, tokens: int, seconds: float) -> None:
        """Take note of one call; nothing is learned before `measure`."""
        with self._lock:
            expected = (self._per_call + self._per_token * tokens) * self._factor
            if not expected:
                return
            ratio = seconds / expected
            self._spread += _LEARNING * (max(ratio - 1, 0.0) - self._spread)
            self._factor *= 1 + _LEARNING * (min(max(ratio, 0.25), 4.0) - 1)

    def doubt(self) -> None:
        """Go a little back to what was measured first: a prediction for which nothing is read is never corrected."""
        with self._lock:
            self._factor += _DOUBT * (min(self._factor, 1.0) - self._factor)
            self._spread += _DOUBT * (min(self._spread, _FIRST_SPREAD) - self._spread)

    @property
    def is_known(self) -> bool:
        """Whether it was measured."""
        return self._per_token > 0

    def seconds(self, tokens: int) -> float:
        """Predict a call's seconds, with room for what calls took longer than predicted lately."""
        with self._lock:
            return (self._per_call + self._per_token * tokens) * self._factor * (1 + min(self._spread, 1.0))
