"""Scores that were computed before, kept in a SQLite file.

The key is a hash of the scorer's fingerprint (weights, template, lengths, precision), the query and the passage:
another model, precision or length never finds a score that is not its own. No text is kept. Where a score depends on
the passages around it, they are part of the key (`kept_together`).
"""

from __future__ import annotations

import hashlib
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path

from secondpass.errors import StoreError
from secondpass.types import PassageScore, Span

_BUSY_SECONDS = 30.0
_KEYS_AT_ONCE = 500  # SQLite takes 32,766 variables since 3.32, 999 before
_SCHEMA = """
CREATE TABLE IF NOT EXISTS scores (
    key BLOB PRIMARY KEY, score REAL NOT NULL, start INTEGER, stop INTEGER,
    tokens INTEGER NOT NULL, windows INTEGER NOT NULL, truncated INTEGER NOT NULL, confidence REAL
) WITHOUT ROWID
"""
_OLD_COLUMNS = ("key", "score", "start", "stop", "tokens", "windows", "truncated")
_ADDED = "confidence"
_COLUMNS = ", ".join((*_OLD_COLUMNS, _ADDED))
_SELECT = f"SELECT {_COLUMNS} FROM scores WHERE key IN"


@dataclass(frozen=True, slots=True)
class CacheCounts:
    """How many scores were asked for, and how many of them were there."""

    asked: int
    found: int


class ScoreCache:
    """Scores by fingerprint, query and passage; several threads and processes may share a file.

    What was put is there after a crash: a long run that was interrupted and starts again computes only the rest.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._lock = threading.Lock()
        self._asked = self._found = 0
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(self.path, timeout=_BUSY_SECONDS, check_same_thread=False)
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute(_SCHEMA)
            self._complete()
        except (sqlite3.Error, OSError) as error:
            raise self._broken(error) from error

    def _complete(self) -> None:
        """Add the column that a file of an earlier version lacks; its scores stay."""
        if not self._is_old():
            return
        with self._database:
            self._database.execute("BEGIN IMMEDIATE")
            if self._is_old():  # else another process that opened the same file was faster
                self._database.execute(f"ALTER TABLE scores ADD COLUMN {_ADDED} REAL")

    def _is_old(self) -> bool:
        return tuple(row[1] for row in self._database.execute("PRAGMA table_info(scores)")) == _OLD_COLUMNS

    def close(self) -> None:
        """Release the file."""
        with self._lock:
            self._database.close()

    @property
    def counts(self) -> CacheCounts:
        """How many scores were asked for since the cache was opened, and how many were there."""
        with self._lock:
            return CacheCounts(self._asked, self._found)

    def get(self, fingerprint: str, query: str, passages: Sequence[str]) -> dict[str, PassageScore]:
        """Return the scores that are known, by passage."""
        by_key = {_key(fingerprint, query, passage): passage for passage in passages}
        found = {}
        with self._lock:
            for keys in _batched(by_key):
                marks = ",".join("?" * len(keys))
                try:
                    rows = self._database.execute(f"{_SELECT} ({marks})", keys).fetchall()
                except sqlite3.Error as error:
                    raise self._broken(error) from error
                for key, score, start, stop, tokens, windows, truncated, confidence in rows:
                    span = None if start is None else Span(start, stop)
                    found[by_key[key]] = PassageScore(score, span, tokens, windows, bool(truncated), confidence)
            self._asked += len(by_key)
            self._found += len(found)
        return found

    def put(self, fingerprint: str, query: str, scores: Mapping[str, PassageScore]) -> None:
        """Keep ``scores``, by passage."""
        rows = [
            (
                _key(fingerprint, query, passage),
                score.score,
                score.span.start if score.span else None,
                score.span.end if score.span else None,
                score.tokens,
                score.windows,
                score.truncated,
                score.evidence_confidence,
            )
            for passage, score in scores.items()
        ]
        marks = ",".join("?" * (len(_OLD_COLUMNS) + 1))
        try:
            with self._lock, self._database:
                self._database.executemany(f"INSERT OR REPLACE INTO scores ({_COLUMNS}) VALUES ({marks})", rows)
        except sqlite3.Error as error:
            raise self._broken(error) from error

    def _broken(self, error: Exception) -> StoreError:
        return StoreError(f"The score cache at {self.path} cannot be used ({error}); remove it, or name another file.")


@lru_cache(maxsize=8)
def open_cache(path: Path | None) -> ScoreCache | None:
    """Open the cache at ``path``, once for all rerankers of the process; None for None."""
    return ScoreCache(path) if path else None


def kept_together(
    cache: ScoreCache | None,
    fingerprint: str | None,
    query: str,
    passages: Sequence[str],
    compute: Callable[[], Mapping[str, PassageScore]],
) -> Mapping[str, PassageScore]:
    """Return the scores of different ``passages`` that hold for this list alone: those of ``cache``, or computed now.

    Without a cache or a fingerprint nothing is looked up or kept.
    """
    if cache is None or fingerprint is None:
        return compute()
    asked = query + "".join(_key(fingerprint, query, passage).hex() for passage in passages)
    known = cache.get(fingerprint, asked, passages)
    if len(known) == len(passages):
        return known
    scores = compute()
    cache.put(fingerprint, asked, scores)
    return scores


def _key(fingerprint: str, query: str, passage: str) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    for part in (fingerprint, query):
        encoded = part.encode()
        digest.update(len(encoded).to_bytes(8, "little") + encoded)
    digest.update(passage.encode())
    return digest.digest()


def _batched(keys: Mapping[bytes, str]) -> Iterator[list[bytes]]:
    remaining = iter(keys)
    while batch := list(islice(remaining, _KEYS_AT_ONCE)):
        yield batch
