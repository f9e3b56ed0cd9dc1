"""Chat models of the tests: one that ranks by shared words as the test server does, and one made of a function."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Sequence

from tests.llm.openai_server import rank, token_logprobs

from secondpass.text.language import estimate_tokens
from secondpass.types import Chunk, Hit, Message, Reply, ReplyForm, TokenChance, TokenCounts


def hits_of(passages: Sequence[str]) -> list[Hit]:
    return [Hit(Chunk(str(place), text), 0.0, "bm25") for place, text in enumerate(passages)]


def ids(hits: Sequence[Hit]) -> list[int]:
    return [int(hit.chunk.id) for hit in hits]


class FunctionLLM:
    """Answers with what a function of the messages returns, and remembers what it was asked."""

    name = "function"

    def __init__(self, answer: Callable[[list[Message]], str]) -> None:
        self._answer = answer
        self._lock = threading.Lock()
        self.asked: list[list[Message]] = []

    def chat(self, messages: Sequence[Message]) -> Reply:
        with self._lock:
            self.asked.append(list(messages))
        text = self._answer(list(messages))
        prompt = sum(estimate_tokens(message.content) + 8 for message in messages)
        return Reply(text, TokenCounts(prompt, estimate_tokens(text)))

    def stream(self, messages: Sequence[Message]) -> Iterator[str | Reply]:
        reply = self.chat(messages)
        yield reply.text
        yield reply


class WordJudge(FunctionLLM):
    """Ranks by the words that passage and query share; without JSON schemas and probabilities of tokens."""

    name = "judge"

    def __init__(self) -> None:
        super().__init__(lambda messages: judged(messages, structured=False)[0])


class StructuredWordJudge(WordJudge):
    """The same, and it keeps to the form that is asked for."""

    fingerprint = "judge, structured"

    def ask(self, messages: Sequence[Message], form: ReplyForm) -> Reply:
        with self._lock:
            self.asked.append(list(messages))
        text, odds = judged(messages, structured=form.schema is not None)
        chances: tuple[TokenChance, ...] = ()
        if form.top_tokens:
            told = token_logprobs(text, odds, form.top_tokens)["content"][0]["top_logprobs"]
            chances = tuple(TokenChance(place["token"], place["logprob"]) for place in told)
        prompt = sum(estimate_tokens(message.content) + 8 for message in messages)
        return Reply(text, TokenCounts(prompt, 5), first_tokens=chances)


def judged(messages: Sequence[Message], structured: bool) -> tuple[str, float | None]:
    text, odds = rank([{"role": message.role, "content": message.content} for message in messages], structured)
    assert odds is None or math.isfinite(odds)
    return text, odds
