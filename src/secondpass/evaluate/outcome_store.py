"""What was worked out so far, in a SQLite file: a killed evaluation goes on where it was.

A key is a hash of the question, its candidates with their texts, and everything that the system's order depends on
(`secondpass.evaluate.identity`); what was worked out for another model, precision, length or text is never found.
"""

from __future__ import annotations

import hashlib
import sqlite3
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType

from secondpass.errors import StoreError
from secondpass.evaluate.outcomes import Outcome, pack, unpack

FILE_NAME = "outcomes.sqlite"
_BUSY_SECONDS = 30.0
_SECONDS_BETWEEN_COMMITS = 0.2
_SLOW_SECONDS = 0.02
"""What took longer is kept at once: a commit costs little beside it."""
_KEYS_AT_ONCE = 500  # SQLite takes 32,766 variables since 3.32, 999 before
_SCHEMA = "CREATE TABLE IF NOT EXISTS outcomes (key BLOB PRIMARY KEY, content BLOB NOT NULL) WITHOUT ROWID"


def outcome_key(question: bytes, system: str) -> bytes:
    """Return the key of what ``system`` (its identity) makes of a question (its digest), 16 bytes."""
    return hashlib.blake2b(question + system.encode(), digest_size=16).digest()


class OutcomeStore:
    """Outcomes by key; what `put` was given longer ago than a fifth of a second outlives a killed process.

    ``folder`` None keeps them in a temporary file, which is gone when the store is closed.

    Raises:
        StoreError: the file cannot be used.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.path = folder / FILE_NAME if folder else None
        self._committed = time.monotonic()
        try:
            if folder:
                folder.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(self.path or "", timeout=_BUSY_SECONDS, isolation_level="DEFERRED")
            if self.path:
                self._database.execute("PRAGMA journal_mode = WAL")
                self._database.execute("PRAGMA synchronous = NORMAL")
            self._database.execute(_SCHEMA)
        except (sqlite3.Error, OSError) as error:
            raise self._broken(error) from error

    def __enter__(self) -> OutcomeStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Write what is pending and release the file."""
        try:
            self._database.commit()
        finally:
            self._database.close()

    def get(self, key: bytes) -> Outcome | None:
        """Return the outcome of ``key``; None where there is none."""
        try:
            row = self._database.execute("SELECT content FROM outcomes WHERE key = ?", (key,)).fetchone()
        except sqlite3.Error as error:
            raise self._broken(error) from error
        return unpack(row[0]) if row else None

    def known(self, keys: Sequence[bytes]) -> set[bytes]:
        """Return those of ``keys`` that have an outcome."""
        found: set[bytes] = set()
        for part in _parts(keys):
            marks = ",".join("?" * len(part))
            try:
                found.update(
                    key for (key,) in self._database.execute(f"SELECT key FROM outcomes WHERE key IN ({marks})", part)
                )
            except sqlite3.Error as error:
                raise self._broken(error) from error
        return found

    def put(self, key: bytes, outcome: Outcome) -> None:
        """Keep ``outcome``."""
        try:
            self._database.execute("INSERT OR REPLACE INTO outcomes VALUES (?, ?)", (key, pack(outcome)))
            if outcome.seconds > _SLOW_SECONDS or time.monotonic() - self._committed > _SECONDS_BETWEEN_COMMITS:
                self.commit()
        except sqlite3.Error as error:
            raise self._broken(error) from error

    def commit(self) -> None:
        """Make what was put durable."""
        try:
            self._database.commit()
        except sqlite3.Error as error:
            raise self._broken(error) from error
        self._committed = time.monotonic()

    def _broken(self, error: Exception) -> StoreError:
        return StoreError(
            f"The work file {self.path or '(temporary)'} cannot be used ({error}); remove it, or name another folder "
            "with --work."
        )


def _parts(keys: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    for first in range(0, len(keys), _KEYS_AT_ONCE):
        yield keys[first : first + _KEYS_AT_ONCE]
