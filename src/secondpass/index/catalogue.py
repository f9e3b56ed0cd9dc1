"""The documents of an index: what was read, when, in how many chunks, and their cleaned text.

SQLite with a write-ahead log, ``synchronous=FULL``: a commit is on the disk when it returns, which costs one flush per
batch of documents and lets "done" mean done after a power cut. The connection is exclusive (the index is, too), so that
SQLite needs no shared memory file.

A document is ``writing`` from before its chunks are written until they are on the disk, and ``removing`` likewise. What
is found in such a state later was cut off, and is done again by the next run.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from secondpass.errors import StoreError
from secondpass.types import Document, Heading

FILE_NAME = "catalogue.sqlite"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS documents (
    doc_id TEXT PRIMARY KEY,
    source TEXT NOT NULL,
    root TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('writing', 'done', 'removing')),
    content_hash TEXT NOT NULL DEFAULT '',
    size INTEGER,
    modified_ns INTEGER,
    chunk_count INTEGER NOT NULL DEFAULT 0,
    title TEXT NOT NULL DEFAULT '',
    indexed_at TEXT NOT NULL DEFAULT '',
    body BLOB
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS unfinished ON documents (state) WHERE state <> 'done';
CREATE TABLE IF NOT EXISTS skipped (
    location TEXT PRIMARY KEY,
    reason TEXT NOT NULL
) WITHOUT ROWID;
"""
_RECORD = "doc_id, source, root, content_hash, size, modified_ns, chunk_count, title, indexed_at"


@dataclass(frozen=True, slots=True)
class DocumentRecord:
    """One line of the catalogue; ``size`` and ``modified_ns`` are None for a web page."""

    doc_id: str
    source: str
    root: str
    content_hash: str
    size: int | None
    modified_ns: int | None
    chunk_count: int
    title: str
    indexed_at: str


class _DatabaseErrors:
    """Turns what SQLite raises into a `StoreError`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if isinstance(error, sqlite3.OperationalError) and "full" in str(error):
            raise StoreError(
                f"The disk with {self.path} is full; what was done is kept: free space and run again."
            ) from error
        if isinstance(error, sqlite3.OperationalError) and ("readonly" in str(error) or "unable to open" in str(error)):
            raise StoreError(f"{self.path} may not be written by this user; change its permissions.") from error
        if isinstance(error, sqlite3.DatabaseError):
            raise StoreError(f"{self.path} is damaged ({error}); build the index again with --rebuild.") from error


class Catalogue:
    """The table of documents, in one file. Calls from several threads take turns."""

    def __init__(self, path: Path) -> None:
        self._errors = _DatabaseErrors(path)
        self._turn = threading.RLock()
        with self._errors:
            self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._database.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = FULL")
            self._database.executescript(_SCHEMA)

    def close(self) -> None:
        """Fold the log into the file and release it."""
        with self._turn, self._errors:
            self._database.close()

    def begin(self, sources: Iterable[tuple[str, str, str]]) -> None:
        """Note that the chunks of these documents (id, source, root) are about to be replaced."""
        self._write(
            "INSERT INTO documents (doc_id, source, root, state) VALUES (?, ?, ?, 'writing') "
            "ON CONFLICT (doc_id) DO UPDATE SET state = 'writing', source = excluded.source, root = excluded.root",
            sources,
        )

    def finish(self, done: Iterable[tuple[DocumentRecord, Document]]) -> None:
        """Note that the chunks of these documents are on the disk."""
        rows = (
            (
                record.doc_id, record.source, record.root, record.content_hash, record.size, record.modified_ns,
                record.chunk_count, record.title, record.indexed_at, _pack(document),
            )
            for record, document in done
        )  # fmt: skip
        self._write(
            f"INSERT OR REPLACE INTO documents ({_RECORD}, body, state) VALUES ({'?, ' * 10}'done')",
            rows,
        )

    def resume(self, doc_ids: Iterable[str]) -> None:
        """Note that the chunks of these documents are on the disk as they were before `begin`."""
        self._write("UPDATE documents SET state = 'done' WHERE doc_id = ?", ((doc_id,) for doc_id in doc_ids))

    def touch(self, doc_id: str, size: int | None, modified_ns: int | None) -> None:
        """Note that a file looks different from outside while its content is the same."""
        self._write("UPDATE documents SET size = ?, modified_ns = ? WHERE doc_id = ?", [(size, modified_ns, doc_id)])

    def begin_removal(self, doc_ids: Iterable[str]) -> None:
        """Note that the chunks of these documents are about to be deleted."""
        self._write("UPDATE documents SET state = 'removing' WHERE doc_id = ?", ((doc_id,) for doc_id in doc_ids))

    def remove(self, doc_ids: Iterable[str]) -> None:
        """Forget documents whose chunks are gone."""
        self._write("DELETE FROM documents WHERE doc_id = ?", ((doc_id,) for doc_id in doc_ids))

    def record(self, doc_id: str) -> DocumentRecord | None:
        """Return the line of a finished document, None where there is none."""
        rows = self._read(f"SELECT {_RECORD} FROM documents WHERE doc_id = ? AND state = 'done'", (doc_id,))
        return next((DocumentRecord(*row) for row in rows), None)

    def records(self) -> list[DocumentRecord]:
        """Return the lines of all finished documents, by document id."""
        rows = self._read(f"SELECT {_RECORD} FROM documents WHERE state = 'done' ORDER BY doc_id")
        return [DocumentRecord(*row) for row in rows]

    def document(self, doc_id: str) -> Document | None:
        """Return a finished document as it was indexed, None where there is none (or a run was cut off in it)."""
        rows = self._read("SELECT source, title, body FROM documents WHERE doc_id = ? AND state = 'done'", (doc_id,))
        return next((_unpack(doc_id, *row) for row in rows), None)

    def places(self) -> Iterator[tuple[str, str]]:
        """Yield id and source of every document, unfinished ones too."""
        yield from self._read("SELECT doc_id, source FROM documents ORDER BY doc_id")

    def unfinished(self) -> list[str]:
        """Return the documents in which a run was cut off."""
        rows = self._read("SELECT doc_id FROM documents WHERE state <> 'done' ORDER BY doc_id")
        return [doc_id for (doc_id,) in rows]

    def counts(self) -> tuple[int, int]:
        """Return how many documents are finished, and how many chunks they have."""
        [(documents, chunks)] = self._read(
            "SELECT count(*), coalesce(sum(chunk_count), 0) FROM documents WHERE state = 'done'"
        )
        return documents, chunks

    def note_skipped(self, forget: Iterable[str], skipped: Sequence[tuple[str, str]]) -> None:
        """Keep what was left out (location, reason), after forgetting what was noted of ``forget``."""
        self._write("DELETE FROM skipped WHERE location = ?", ((location,) for location in forget))
        self._write("INSERT OR REPLACE INTO skipped (location, reason) VALUES (?, ?)", skipped)

    def skipped(self) -> list[tuple[str, str]]:
        """Return location and reason of what the last runs left out."""
        return self._read("SELECT location, reason FROM skipped ORDER BY location")

    def _write(self, statement: str, rows: Iterable[tuple[Any, ...]]) -> None:
        with self._turn, self._errors:
            self._database.execute("BEGIN")
            try:
                self._database.executemany(statement, rows)
                self._database.execute("COMMIT")
            finally:
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")

    def _read(self, statement: str, values: tuple[str, ...] = ()) -> list[tuple[Any, ...]]:
        with self._turn, self._errors:
            return self._database.execute(statement, values).fetchall()


def _pack(document: Document) -> bytes:
    """Compress what a chunk does not say of its document. Level 1: the text is read rarely and written often."""
    headings = [(heading.start, heading.level, heading.title) for heading in document.headings]
    fields = [document.text, headings, document.pages, dict(document.metadata)]
    return zlib.compress(json.dumps(fields, ensure_ascii=False).encode("utf-8", "surrogatepass"), level=1)


def _unpack(doc_id: str, source: str, title: str, body: bytes) -> Document:
    text, headings, pages, metadata = json.loads(zlib.decompress(body).decode("utf-8", "surrogatepass"))
    return Document(
        id=doc_id,
        text=text,
        source=source,
        title=title,
        headings=tuple(Heading(*heading) for heading in headings),
        pages=tuple(pages),
        metadata=metadata,
    )
