"""The flow of a question: retrieve, rerank, answer; every step timed."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from secondpass.types import Answer, Answerer, Hit, Reranker, Retriever

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The passages for a question: what the first stage found, what the second kept, and the seconds each took."""

    query: str
    candidates: tuple[Hit, ...]
    hits: tuple[Hit, ...]
    seconds: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One question answered from the same candidates without and with the second stage."""

    query: str
    candidates: tuple[Hit, ...]
    without: Answer
    reranked: Answer


def timed(seconds: dict[str, float], step: str, work: Callable[[], T]) -> T:
    """Do ``work`` and note its seconds under ``step``."""
    start = time.perf_counter()
    result = work()
    seconds[step] = time.perf_counter() - start
    return result


class Pipeline:
    """Retrieve ``top_k`` passages, rerank them, answer from what is kept."""

    def __init__(
        self, retriever: Retriever, top_k: int, reranker: Reranker | None = None, answerer: Answerer | None = None
    ) -> None:
        self.retriever = retriever
        self.top_k = top_k
        self.reranker = reranker
        self.answerer = answerer

    def search(self, query: str) -> SearchResult:
        """Return the passages for ``query``, best first."""
        seconds: dict[str, float] = {}
        candidates = timed(seconds, "retrieve", lambda: self.retriever.retrieve(query, self.top_k))
        hits = self._rerank(query, candidates, seconds)
        return SearchResult(query, tuple(candidates), tuple(hits), seconds)

    def ask(self, query: str) -> Answer:
        """Answer ``query`` from the passages found for it."""
        found = self.search(query)
        return self._answer(query, found.hits, dict(found.seconds))

    def compare(self, query: str) -> Comparison:
        """Answer ``query`` twice from the same candidates: all of them, and those the reranker keeps."""
        seconds: dict[str, float] = {}
        candidates = timed(seconds, "retrieve", lambda: self.retriever.retrieve(query, self.top_k))
        without = self._answer(query, tuple(candidates), dict(seconds))
        hits = self._rerank(query, candidates, seconds)
        return Comparison(query, tuple(candidates), without, self._answer(query, tuple(hits), seconds))

    def _rerank(self, query: str, candidates: list[Hit], seconds: dict[str, float]) -> list[Hit]:
        reranker = self.reranker
        if reranker is None:
            return candidates
        return timed(seconds, "rerank", lambda: reranker.rerank(query, candidates))

    def _answer(self, query: str, hits: tuple[Hit, ...], seconds: dict[str, float]) -> Answer:
        answerer = self.answerer
        if answerer is None:
            raise TypeError("This pipeline was made without an answerer; it can only search.")
        answer = timed(seconds, "generate", lambda: answerer.answer(query, hits))
        return replace(answer, seconds={**answer.seconds, **seconds})
