"""The flow of a question: retrieve, rerank, answer; every step timed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from secondpass.answer.prompt import build_prompt
from secondpass.types import Answer, Answerer, Hit, Reranker, Retriever, TokenCounts

T = TypeVar("T")
_NO_LIMIT = 10**9


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
    without_tokens: TokenCounts
    reranked_tokens: TokenCounts


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

    def stream(self, query: str) -> Iterator[str | Answer]:
        """Answer ``query`` piece by piece as it is written; the whole `Answer` comes last."""
        found = self.search(query)
        for piece in self._answering().stream(query, found.hits):
            yield replace(piece, seconds={**found.seconds, **piece.seconds}) if isinstance(piece, Answer) else piece

    def compare(self, query: str) -> Comparison:
        """Answer ``query`` twice from the same candidates: all of them, and those the reranker keeps."""
        seconds: dict[str, float] = {}
        candidates = timed(seconds, "retrieve", lambda: self.retriever.retrieve(query, self.top_k))
        without = self._answer(query, tuple(candidates), dict(seconds))
        hits = self._rerank(query, candidates, seconds)
        reranked = self._answer(query, tuple(hits), seconds)
        tokens = (_prompt_tokens(query, without), _prompt_tokens(query, reranked))
        return Comparison(query, tuple(candidates), without, reranked, *tokens)

    def _rerank(self, query: str, candidates: list[Hit], seconds: dict[str, float]) -> list[Hit]:
        reranker = self.reranker
        if reranker is None:
            return candidates
        return timed(seconds, "rerank", lambda: reranker.rerank(query, candidates))

    def _answer(self, query: str, hits: tuple[Hit, ...], seconds: dict[str, float]) -> Answer:
        answer = timed(seconds, "generate", lambda: self._answering().answer(query, hits))
        return replace(answer, seconds={**seconds, **answer.seconds})

    def _answering(self) -> Answerer:
        if self.answerer is None:
            raise TypeError("This pipeline was made without an answerer; it can only search.")
        return self.answerer


def _prompt_tokens(query: str, answer: Answer) -> TokenCounts:
    """Return the tokens of the prompt that was sent, or an estimate of the one a chat model would have got."""
    if answer.tokens is not None:
        return answer.tokens
    return TokenCounts(build_prompt(query, answer.hits, _NO_LIMIT).tokens, 0, estimated=True)
