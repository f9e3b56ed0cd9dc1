"""Chat replies from a file: record them once with a real model, replay them for ever without one."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from secondpass.errors import InputError
from secondpass.types import LLM, Message, Reply, ReplyForm, StructuredLLM, TokenChance, TokenCounts

_PIECE = re.compile(r"\s*(?:[A-Za-z0-9']+|\S)|\s+")


def message_key(messages: Sequence[Message], form: ReplyForm | None = None) -> str:
    """Return what identifies a conversation: the SHA-256 of its roles and texts, and of the form asked for."""
    turns: list[Any] = [[message.role, message.content] for message in messages]
    if form is not None and form != ReplyForm():
        turns.append({"schema": form.schema, "top_tokens": form.top_tokens})
    return hashlib.sha256(json.dumps(turns, ensure_ascii=False).encode("utf-8", "surrogatepass")).hexdigest()


def reply_record(reply: Reply) -> dict[str, Any]:
    """Return a reply as a JSON object."""
    record: dict[str, Any] = {
        "text": reply.text,
        "prompt_tokens": reply.tokens.prompt,
        "completion_tokens": reply.tokens.completion,
        "estimated": reply.tokens.estimated,
    }
    if reply.truncated:
        record["truncated"] = True
    if reply.first_tokens:
        record["first_tokens"] = [[chance.token, chance.log_probability] for chance in reply.first_tokens]
    return record


def recorded_reply(record: Any) -> Reply:
    """Return the reply of a JSON object made by `reply_record`; wrong ones raise what reading them raises."""
    counts = TokenCounts(
        int(record.get("prompt_tokens", 0)),
        int(record.get("completion_tokens", 0)),
        bool(record.get("estimated", "prompt_tokens" not in record)),
    )
    chances = tuple(TokenChance(str(token), float(value)) for token, value in record.get("first_tokens", ()))
    return Reply(str(record["text"]), counts, bool(record.get("truncated", False)), chances)


class ReplayLLM:
    """Answer from a JSONL file of recorded replies: ``{"key", "text", "prompt_tokens", "completion_tokens", ...}``.

    A conversation asked again gets its next recording, and its last one from then on. Lines without a ``key`` are
    given out in order to conversations that were not recorded.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._keyed: dict[str, deque[Reply]] = {}
        self._in_order: deque[Reply] = deque()
        self._lock = threading.Lock()
        lines = _lines(self.path)
        self._fingerprint = f"{self.path} {hashlib.sha256(repr(lines).encode()).hexdigest()}"
        for number, line in enumerate(lines, start=1):
            if line.strip():
                self._add(line, f"{self.path}:{number}")

    @property
    def name(self) -> str:
        """The name of the file."""
        return f"replay:{self.path.name}"

    @property
    def fingerprint(self) -> str:
        """The file and what it holds."""
        return self._fingerprint

    def chat(self, messages: Sequence[Message]) -> Reply:
        """Return the recorded reply.

        Raises:
            InputError: this conversation was not recorded.
        """
        return self.ask(messages, ReplyForm())

    def ask(self, messages: Sequence[Message], form: ReplyForm) -> Reply:
        """Return the reply recorded for this form, or else for the conversation.

        Raises:
            InputError: this conversation was not recorded.
        """
        key = message_key(messages)
        with self._lock:
            if replies := self._keyed.get(message_key(messages, form)) or self._keyed.get(key):
                return replies.popleft() if len(replies) > 1 else replies[0]
            if self._in_order:
                return self._in_order.popleft()
        last = messages[-1].content if messages else ""
        raise InputError(
            f"{self.path} holds no reply to this conversation (key {key[:12]}…, {len(messages)} messages, "
            f"the last ends with {last[-60:]!r}); record it again with RecordingLLM."
        )

    def stream(self, messages: Sequence[Message]) -> Iterator[str | Reply]:
        """Yield the recorded reply word by word, and whole at the end."""
        reply = self.chat(messages)
        yield from _PIECE.findall(reply.text)
        yield reply

    def _add(self, line: str, place: str) -> None:
        try:
            record: Any = json.loads(line)
            reply, key = recorded_reply(record), record.get("key")
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(
                f'{place}: a recorded reply is a JSON object with at least "text"; found {error!r}.'
            ) from None
        if key is None:
            self._in_order.append(reply)
        else:
            self._keyed.setdefault(str(key), deque()).append(reply)


class RecordingLLM:
    """Pass every conversation to ``llm`` and append its reply to the file at ``path``, for `ReplayLLM`."""

    def __init__(self, llm: LLM, path: str | Path) -> None:
        self._llm = llm
        self._lock = threading.Lock()
        self.path = Path(path)

    @property
    def name(self) -> str:
        """The name of the model that answers."""
        return self._llm.name

    @property
    def fingerprint(self) -> str:
        """What the model's replies depend on."""
        return self._llm.fingerprint if isinstance(self._llm, StructuredLLM) else self._llm.name

    def chat(self, messages: Sequence[Message]) -> Reply:
        """Return the model's reply, recorded."""
        reply = self._llm.chat(messages)
        self._record(messages, reply)
        return reply

    def ask(self, messages: Sequence[Message], form: ReplyForm) -> Reply:
        """Return the model's reply, recorded; a model that knows no forms is asked without."""
        if not isinstance(self._llm, StructuredLLM):
            return self.chat(messages)
        reply = self._llm.ask(messages, form)
        self._record(messages, reply, form)
        return reply

    def stream(self, messages: Sequence[Message]) -> Iterator[str | Reply]:
        """Yield what the model yields; the whole reply is recorded when it comes."""
        for piece in self._llm.stream(messages):
            if isinstance(piece, Reply):
                self._record(messages, piece)
            yield piece

    def _record(self, messages: Sequence[Message], reply: Reply, form: ReplyForm | None = None) -> None:
        turns = [{"role": message.role, "content": message.content} for message in messages]
        record = {"key": message_key(messages, form), "model": self.name, "messages": turns, **reply_record(reply)}
        with self._lock, self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record, ensure_ascii=False) + "\n")


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"The recorded replies at {path} cannot be read: {error}.") from error
