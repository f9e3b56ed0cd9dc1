"""Texts by id in a file that is gone when it is closed: for collections that do not fit into memory."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

_AT_ONCE = 500
_SCHEMA = "CREATE TABLE texts (id TEXT PRIMARY KEY, text TEXT NOT NULL, line INTEGER NOT NULL) WITHOUT ROWID"


class TextStore:
    """Texts by id, on the disk; use it in a ``with``."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="secondpass-")
        self._database = sqlite3.connect(Path(self._folder.name) / "texts.sqlite", isolation_level=None)
        for pragma in ("journal_mode = OFF", "synchronous = OFF"):  # a crash loses the file, which is meant to be lost
            self._database.execute(f"PRAGMA {pragma}")
        self._database.execute(_SCHEMA)
        self._database.execute("BEGIN")

    def __enter__(self) -> TextStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Remove the file."""
        self._database.close()
        self._folder.cleanup()

    def put(self, identity: str, text: str, line: int) -> int | None:
        """Keep a text and the line it came from; where the id is known, return the line of the one that is kept."""
        try:
            self._database.execute("INSERT INTO texts VALUES (?, ?, ?)", (identity, _storable(text), line))
        except sqlite3.IntegrityError:
            row = self._database.execute("SELECT line FROM texts WHERE id = ?", (identity,)).fetchone()
            return int(row[0])
        return None

    def get(self, identities: Sequence[str]) -> dict[str, str]:
        """Return the texts that are known, by id."""
        found: dict[str, str] = {}
        wanted = list(dict.fromkeys(identities))
        for start in range(0, len(wanted), _AT_ONCE):
            some = wanted[start : start + _AT_ONCE]
            marks = ",".join("?" * len(some))
            found |= dict(self._database.execute(f"SELECT id, text FROM texts WHERE id IN ({marks})", some).fetchall())
        return found


def _storable(text: str) -> str:
    """Return ``text`` with halves of surrogate pairs replaced, which no file in UTF-8 can hold."""
    return text.encode("utf-8", "replace").decode("utf-8") if not text.isascii() else text
