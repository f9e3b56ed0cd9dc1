"""Files to entries: read, parsed, cut, their terms counted; what worker processes do while one process writes."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from secondpass.chunk.sentence import SentenceChunker
from secondpass.errors import InputError
from secondpass.index.entries import make_entries
from secondpass.load.options import WebOptions
from secondpass.load.parse import parse
from secondpass.load.reading import read
from secondpass.load.sources import Source
from secondpass.types import Document, Entry

_UNIT_FILES, _UNIT_BYTES = 64, 1 << 20  # what a worker gets at once


@dataclass(frozen=True, slots=True)
class Task:
    """A file or page to look into; ``known_hash`` is what it held when it was indexed."""

    source: Source
    known_hash: str


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """What became of a task: entries, or unchanged content (no document), or a reason why not.

    ``lost`` tells a file whose content is no document from one that could not be read at all.
    """

    source: Source
    content_hash: str = ""
    size_bytes: int = 0
    document: Document | None = None
    entries: tuple[Entry, ...] = ()
    reason: str = ""
    lost: bool = False


@dataclass(frozen=True, slots=True)
class Preparer:
    """Reads, parses and chunks; goes to the worker processes, so it holds only what can be sent."""

    chunker: SentenceChunker
    web: WebOptions

    def __call__(self, tasks: Sequence[Task]) -> tuple[list[Result], dict[str, float]]:
        """Return what became of the tasks, and the seconds per step."""
        seconds = dict.fromkeys(("read", "parse", "chunk", "terms"), 0.0)
        return [self._prepare(task, seconds) for task in tasks], seconds

    def _prepare(self, task: Task, seconds: dict[str, float]) -> Result:
        source = task.source
        try:
            with timed(seconds, "read"):
                payload = read(source, self.web)
        except InputError as error:
            return Result(source, reason=str(error))
        content_hash = hashlib.blake2b(payload.data, digest_size=16).hexdigest()
        if content_hash == task.known_hash:
            return Result(source, content_hash)
        try:
            with timed(seconds, "parse"):
                document = parse(source, payload)
        except InputError as error:
            return Result(source, reason=str(error), lost=True)
        with timed(seconds, "chunk"):
            chunks = self.chunker.chunk(document)
        with timed(seconds, "terms"):
            entries = tuple(make_entries(chunks))
        return Result(source, content_hash, len(payload.data), document, entries)


def units(tasks: Iterable[Task]) -> Iterator[list[Task]]:
    """Group tasks so that sending them to a worker pays, and a large file does not wait behind another."""
    unit: list[Task] = []
    size_bytes = 0
    for task in tasks:
        unit.append(task)
        size_bytes += task.source.size or 0
        if len(unit) >= _UNIT_FILES or size_bytes >= _UNIT_BYTES:
            yield unit
            unit, size_bytes = [], 0
    if unit:
        yield unit


@contextmanager
def timed(seconds: dict[str, float], step: str) -> Iterator[None]:
    """Add the seconds that the block takes to those of ``step``."""
    start = time.perf_counter()
    try:
        yield
    finally:
        seconds[step] = seconds.get(step, 0.0) + time.perf_counter() - start
