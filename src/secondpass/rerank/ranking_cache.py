"""Replies that a chat model gave before, in memory or in a SQLite file.

The key is a hash of what a reply depends on: the model with its server and settings, the messages, the form asked for.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Protocol

from secondpass.errors import StoreError
from secondpass.llm.replay import message_key, recorded_reply, reply_record
from secondpass.types import Message, Reply, ReplyForm

_BUSY_SECONDS = 30.0
_SCHEMA = "CREATE TABLE IF NOT EXISTS replies (key TEXT PRIMARY KEY, reply TEXT NOT NULL) WITHOUT ROWID"


class ReplyCache(Protocol):
    """Keeps replies by key; safe to share between threads."""

    def get(self, key: str) -> Reply | None:
        """Return a reply, None where it is not known."""
        ...

    def put(self, key: str, reply: Reply) -> None:
        """Keep a reply."""
        ...


def question_key(model: str, messages: Sequence[Message], form: ReplyForm) -> str:
    """Return what identifies a question to a model.

    >>> ask = [Message("user", "茶？")]
    >>> question_key("a", ask, ReplyForm()) == question_key("b", ask, ReplyForm())
    False
    """
    return blake2b(f"{len(model)} {model} {message_key(messages, form)}".encode(), digest_size=16).hexdigest()


class MemoryReplies:
    """The last ``most`` replies; those not used for longest are forgotten first."""

    def __init__(self, most: int = 10_000) -> None:
        self._most = most
        self._replies: OrderedDict[str, Reply] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: str) -> Reply | None:
        """Return a reply, None where it is not known."""
        with self._lock:
            reply = self._replies.get(key)
            if reply is not None:
                self._replies.move_to_end(key)
            return reply

    def put(self, key: str, reply: Reply) -> None:
        """Keep a reply."""
        with self._lock:
            self._replies[key] = reply
            self._replies.move_to_end(key)
            if len(self._replies) > self._most:
                self._replies.popitem(last=False)


class DiskReplies:
    """Replies in a file, which several threads and processes may share; what was put is there after a crash."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._lock = threading.Lock()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(self.path, timeout=_BUSY_SECONDS, check_same_thread=False)
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute(_SCHEMA)
        except (sqlite3.Error, OSError) as error:
            raise self._broken(error) from error

    def close(self) -> None:
        """Release the file."""
        with self._lock:
            self._database.close()

    def get(self, key: str) -> Reply | None:
        """Return a reply, None where it is not known.

        Raises:
            StoreError: the file cannot be read.
        """
        try:
            with self._lock:
                row = self._database.execute("SELECT reply FROM replies WHERE key = ?", (key,)).fetchone()
            return None if row is None else recorded_reply(json.loads(row[0]))
        except (sqlite3.Error, ValueError, KeyError, TypeError) as error:
            raise self._broken(error) from error

    def put(self, key: str, reply: Reply) -> None:
        """Keep a reply.

        Raises:
            StoreError: the file cannot be written.
        """
        try:
            with self._lock, self._database:
                self._database.execute("INSERT OR REPLACE INTO replies VALUES (?, ?)", (key, _written(reply)))
        except sqlite3.Error as error:
            raise self._broken(error) from error

    def _broken(self, error: Exception) -> StoreError:
        return StoreError(f"The reply cache at {self.path} cannot be used ({error}); remove it, or name another file.")


def _written(reply: Reply) -> str:
    return json.dumps(reply_record(reply))
