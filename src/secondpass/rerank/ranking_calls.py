"""The one place where rankers talk to a chat model: side by side, again where needed, from memory, counted.

`CallEngine` belongs to a reranker and is shared by all threads that use it; `RankingRun` belongs to one ranking.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from secondpass.errors import InputError, RemoteError
from secondpass.rerank.ranking_cache import ReplyCache, question_key
from secondpass.rerank.ranking_prompts import ReplyAs
from secondpass.rerank.ranking_replies import Reading
from secondpass.rerank.ranking_report import Prices, RankingReport
from secondpass.rerank.side_by_side import side_by_side
from secondpass.text.language import estimate_tokens
from secondpass.types import LLM, Message, Reply, ReplyForm, StructuredLLM

T = TypeVar("T")
A = TypeVar("A")

TOKENS_A_MESSAGE = 8  # what a chat template adds to a turn; an estimate
_ANY_FORM = ReplyForm()
_CLIPPED_BELOW = 0.5  # of the estimated tokens of a prompt; estimates are off by a quarter
_MOST_REPEATED = 400  # characters of an unusable reply that are shown to the model again
_FAILURES_IN_A_ROW = 3  # after so many the server is taken for dead


@dataclass(frozen=True, slots=True)
class CallOptions:
    """How a chat model is called.

    ``max_concurrent_calls`` holds for all rankings of a reranker together. ``max_calls`` is the most that one ranking
    may send; what is then not known keeps the given order. A server's error is answered by ``error_repeats`` more
    tries, the first after ``backoff_seconds``, each later one after twice as long (`OpenAIChat` has tried again before,
    where an error may pass). An unusable reply is asked for once more, with a word on what is wanted.
    """

    max_concurrent_calls: int = 4
    max_calls: int | None = None
    error_repeats: int = 1
    backoff_seconds: float = 0.5
    prices: Prices | None = None


@dataclass(frozen=True, slots=True)
class Question(Generic[T]):
    """What is asked, how the reply is read, what holds without one, and how to insist on a usable one."""

    messages: tuple[Message, ...]
    read: Callable[[Reply], Reading[T]]
    fallback: T
    reminder: str
    form: ReplyForm = _ANY_FORM


class CallEngine:
    """Sends the questions of all rankings of one reranker."""

    def __init__(self, llm: LLM, options: CallOptions, cache: ReplyCache) -> None:
        if options.max_concurrent_calls < 1:
            raise InputError(f"max_concurrent_calls is {options.max_concurrent_calls}; it must be 1 or more.")
        if options.max_calls is not None and options.max_calls < 1:
            raise InputError(f"max_calls is {options.max_calls}; it must be 1 or more, or None for no limit.")
        self.llm = llm
        self.options = options
        self.cache = cache
        self.slots = threading.BoundedSemaphore(options.max_concurrent_calls)

    def send(self, messages: tuple[Message, ...], form: ReplyForm) -> Reply:
        """Ask the model, when one of the slots is free."""
        with self.slots:
            if isinstance(self.llm, StructuredLLM):
                return self.llm.ask(messages, form)
            return self.llm.chat(messages)

    def key(self, question: Question[T]) -> str:
        """Return what a reply depends on, as a hash."""
        model = self.llm.fingerprint if isinstance(self.llm, StructuredLLM) else self.llm.name
        return question_key(model, question.messages, question.form)


class RankingRun:
    """The questions of one ranking: asks them and counts; safe to use from several threads."""

    def __init__(self, engine: CallEngine) -> None:
        self._engine = engine
        self._started = time.perf_counter()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._counts: Counter[str] = Counter()
        self._estimated = False
        self._errors: list[RemoteError] = []
        self._failures_in_a_row = 0

    def wants_json(self, reply_as: ReplyAs) -> bool:
        """Tell whether JSON is asked for: ``auto`` where the model can be asked for a form of reply."""
        return reply_as == "json" or (reply_as == "auto" and isinstance(self._engine.llm, StructuredLLM))

    @property
    def calls_left(self) -> int | None:
        """How many calls may still be sent; None for any number."""
        limit = self._engine.options.max_calls
        return None if limit is None else max(0, limit - self._counts["calls"])

    @property
    def cut_short(self) -> bool:
        """Whether a question was left out because no further call may be sent."""
        return self._counts["skipped"] > 0

    def ask(self, question: Question[T]) -> T:
        """Ask one question; its fallback where no usable reply is to be had.

        Raises:
            RemoteError: the server failed several times in a row.
        """
        self._add(questions=1)
        key = self._engine.key(question)
        known = self._engine.cache.get(key)
        if known is not None:
            reading = question.read(known)
            self._add(cache_hits=1, unstructured=self._unstructured(question, reading), **{reading.outcome: 1})
            return reading.value
        if not self._take_call():
            self._add(skipped=1)
            return question.fallback
        reply = self._reply(question.messages, question.form)
        if reply is None:
            self._add(failed=1)
            return question.fallback
        reading = question.read(reply)
        if reading.outcome == "fallback" and self._take_call():
            reply, reading = self._insist(question, reply, reading)
        if reading.outcome != "fallback":
            self._engine.cache.put(key, reply)
        self._add(unstructured=self._unstructured(question, reading), **{reading.outcome: 1})
        return reading.value

    def ask_all(self, questions: Sequence[Question[T]]) -> list[T]:
        """Ask several questions side by side; the answers come in their order."""
        return self.map(self.ask, questions)

    def map(self, work: Callable[[A], T], items: Sequence[A]) -> list[T]:
        """Do ``work`` on several items side by side, within the limit of concurrent calls."""
        return side_by_side(work, items, self._engine.options.max_concurrent_calls, self._stop)

    def skip(self, questions: int) -> None:
        """Count questions that ``max_calls`` leaves no room for."""
        self._add(questions=questions, skipped=questions)

    def report(self) -> RankingReport:
        """Return what was counted.

        Raises:
            RemoteError: the server failed, and there was no reply at all.
        """
        counts = self._counts
        answered = counts["clean"] + counts["repaired"] + counts["fallback"]
        if self._errors and not answered:
            raise self._errors[0]
        prices = self._engine.options.prices
        cost = None
        if prices:
            prompt, completion = counts["prompt_tokens"], counts["completion_tokens"]
            cost = (prompt * prices.prompt_per_million + completion * prices.completion_per_million) / 1e6
        report = RankingReport(
            tokens_estimated=self._estimated,
            seconds=time.perf_counter() - self._started,
            cost=cost,
            errors=tuple(dict.fromkeys(str(error) for error in self._errors)),
        )
        counted: dict[str, Any] = dict(counts)
        return replace(report, **counted)

    def _add(self, **counts: int) -> None:
        with self._lock:
            self._counts.update(counts)

    def _take_call(self) -> bool:
        with self._lock:
            limit = self._engine.options.max_calls
            if self._stop.is_set() or (limit is not None and self._counts["calls"] >= limit):
                return False
            self._counts["calls"] += 1
            return True

    def _insist(self, question: Question[T], reply: Reply, reading: Reading[T]) -> tuple[Reply, Reading[T]]:
        """Ask once more after an unusable reply; the call was taken already."""
        self._add(repeats=1)
        said = Message("assistant", reply.text[:_MOST_REPEATED].strip() or "…")
        again = self._reply((*question.messages, said, Message("user", question.reminder)), question.form)
        return (reply, reading) if again is None else (again, question.read(again))

    def _reply(self, messages: tuple[Message, ...], form: ReplyForm) -> Reply | None:
        """Send a question whose call was taken; None where the server fails again and again."""
        pause = self._engine.options.backoff_seconds
        for attempt in range(1 + self._engine.options.error_repeats):
            if attempt:
                if self._stop.wait(pause) or not self._take_call():
                    break
                self._add(repeats=1)
                pause *= 2
            try:
                reply = self._engine.send(messages, form)
            except RemoteError as error:
                last = error
                continue
            self._count_reply(messages, reply)
            return reply
        self._count_failure(last)
        return None

    def _count_reply(self, messages: tuple[Message, ...], reply: Reply) -> None:
        tokens = reply.tokens
        expected = sum(estimate_tokens(message.content) + TOKENS_A_MESSAGE for message in messages)
        clipped = not tokens.estimated and 0 < tokens.prompt < _CLIPPED_BELOW * expected
        with self._lock:
            self._failures_in_a_row = 0
            self._estimated = self._estimated or tokens.estimated
        self._add(prompt_tokens=tokens.prompt, completion_tokens=tokens.completion, clipped_prompts=int(clipped))

    def _count_failure(self, error: RemoteError) -> None:
        with self._lock:
            self._errors.append(error)
            self._failures_in_a_row += 1
            dead = self._failures_in_a_row >= _FAILURES_IN_A_ROW
        if dead:
            raise error

    @staticmethod
    def _unstructured(question: Question[T], reading: Reading[T]) -> int:
        return int(question.form.schema is not None and not reading.structured)
