"""The flow of documents: find, read, parse, chunk, store; only what changed, and what is gone goes.

Every batch of documents is done for good before the next one is reported: the catalogue notes that they are being
written, the store takes them to the disk, the catalogue notes that they are done. Killed anywhere, the next run takes
up what was not noted as done. One document is in memory at a time per process, and one batch.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from secondpass.chunk.sentence import SentenceChunker
from secondpass.errors import StoreError
from secondpass.index.catalogue import DocumentRecord
from secondpass.index.entries import add_token_vectors, add_vectors
from secondpass.index.library import Index
from secondpass.index.manifest import (
    EmbedderIdentity,
    Manifest,
    TokenEncoderIdentity,
    check_embedder,
    check_token_encoder,
)
from secondpass.index.workers import in_order
from secondpass.load.losses import Loss, losses_of
from secondpass.load.options import WebOptions
from secondpass.load.sources import MAX_BYTES, Skipped, Source, find_sources, is_url, normalize_url
from secondpass.preparation import Preparer, Result, Task, timed, units
from secondpass.types import Document, Embedder, TokenEncoder

_BATCH_CHUNKS = 4_000  # a flush costs 10 to 800 ms, whatever it carries: see docs/log.md
_BATCH_CHUNKS_EMBEDDED = 512  # vectors are dear: lose few of them
_BATCH_SECONDS = 5.0


class Progress(Protocol):
    """Told how far a run is. What it is told of is on the disk."""

    def start(self, files: int, size_bytes: int) -> None:
        """Hear how many files and bytes were found."""
        ...

    def advance(self, doc_ids: Sequence[str], size_bytes: int) -> None:
        """Hear which documents are done: written, or unchanged."""
        ...

    def message(self, text: str) -> None:
        """Hear what is being done now."""
        ...


class _Silent:
    def start(self, files: int, size_bytes: int) -> None: ...
    def advance(self, doc_ids: Sequence[str], size_bytes: int) -> None: ...
    def message(self, text: str) -> None: ...


@dataclass(frozen=True, slots=True)
class IngestOptions:
    """How documents are read; ``max_bytes`` holds for files and pages, whatever ``web`` says.

    ``processes`` above 1 parses in that many processes once there is enough to read; a script that asks for them needs
    the usual ``if __name__ == "__main__":``.
    """

    max_bytes: int = MAX_BYTES
    processes: int = 1
    web: WebOptions = field(default_factory=WebOptions)


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What a run did.

    ``losses`` names what of the documents read was not read as it should be. ``kept`` counts documents that could not
    be read this time and keep what was indexed of them before. ``seconds`` per step adds up all processes;
    ``total_seconds`` is what the clock on the wall says.
    """

    added: int
    changed: int
    unchanged: int
    deleted: int
    kept: int
    chunks: int
    size_bytes: int
    skipped: tuple[Skipped, ...]
    losses: tuple[Loss, ...]
    seconds: Mapping[str, float]
    total_seconds: float

    @property
    def chunks_per_second(self) -> float:
        """Chunks written per second of the whole run."""
        return self.chunks / self.total_seconds if self.total_seconds else 0.0

    @property
    def megabytes_per_second(self) -> float:
        """Megabytes (10^6) of changed files per second of the whole run."""
        return self.size_bytes / 1e6 / self.total_seconds if self.total_seconds else 0.0


def chunker_of(manifest: Manifest) -> SentenceChunker:
    """Return the chunker an index was built with."""
    if manifest.chunker != SentenceChunker.name:
        raise StoreError(
            f"The index was cut by the chunker {manifest.chunker!r}; this version has {SentenceChunker.name!r}. Build "
            "the index again with --rebuild."
        )
    parameters = manifest.chunker_parameters
    return SentenceChunker(int(parameters["max_tokens"]), int(parameters["overlap_sentences"]))


def identity_of(embedder: Embedder | None) -> EmbedderIdentity | None:
    """Return what a manifest says of an embedder."""
    return None if embedder is None else EmbedderIdentity(embedder.name, embedder.revision, embedder.dimension)


def token_identity_of(encoder: TokenEncoder | None) -> TokenEncoderIdentity | None:
    """Return what a manifest says of a token encoder."""
    return None if encoder is None else TokenEncoderIdentity(encoder.name, encoder.revision, encoder.dimension)


def index_documents(
    roots: Sequence[str | Path],
    index: Index,
    options: IngestOptions | None = None,
    embedder: Embedder | None = None,
    progress: Progress | None = None,
    token_encoder: TokenEncoder | None = None,
) -> IngestReport:
    """Bring ``index`` up to date with the files, folders and addresses ``roots``.

    Document ids of files are relative to the folder the index lies in. Documents that were indexed below ``roots`` and
    are no longer there are removed; those from elsewhere stay. A file that cannot be read now (permissions, a server
    that does not answer) keeps what was indexed of it; one that is read but is no document any more does not.

    Raises:
        InputError: a root does not exist; nothing is changed.
        StoreError: the embedder or token encoder is not the index's, or the disk is full; what was done is kept.
    """
    check_embedder(index.folder, index.manifest, identity_of(embedder))
    check_token_encoder(index.folder, index.manifest, token_identity_of(token_encoder))
    run = _Run(index, options or IngestOptions(), _Encoders(embedder, token_encoder), progress or _Silent())
    return run.over(roots)


@dataclass(frozen=True, slots=True)
class _Encoders:
    """What makes vectors of an index's chunks."""

    embedder: Embedder | None
    token_encoder: TokenEncoder | None


class _Run:
    """One run of `index_documents` and its counts."""

    def __init__(self, index: Index, options: IngestOptions, encoders: _Encoders, progress: Progress) -> None:
        self.index = index
        self.options = options
        self.encoders = encoders
        self.progress = progress
        self.counts = dict.fromkeys(("added", "changed", "unchanged", "deleted", "kept", "chunks", "size_bytes"), 0)
        self.seconds: dict[str, float] = {}
        self.skipped: list[Skipped] = []
        self.losses: list[Loss] = []
        self.lost: list[str] = []
        self.prepare = Preparer(chunker_of(index.manifest), replace(options.web, max_bytes=options.max_bytes))

    def over(self, roots: Sequence[str | Path]) -> IngestReport:
        start = time.perf_counter()
        places = [_place(root) for root in roots]
        with timed(self.seconds, "find"):
            found = list(find_sources(roots, self.index.folder.absolute().parent, self.options.max_bytes))
        sources = [source for source in found if isinstance(source, Source)]
        self.skipped += [skip for skip in found if isinstance(skip, Skipped)]
        self.progress.start(len(sources), sum(source.size or 0 for source in sources))
        self._write(self._changed(sources), places)
        with timed(self.seconds, "delete"):
            self._remove_gone({source.doc_id for source in sources}, places)
            self._note_skipped(places)
        self.progress.message("optimizing the index")
        with timed(self.seconds, "optimize"):
            self.index.store.optimize()
        total = time.perf_counter() - start
        return IngestReport(
            **self.counts,
            skipped=tuple(self.skipped),
            losses=tuple(self.losses),
            seconds=self.seconds,
            total_seconds=total,
        )

    def _changed(self, sources: Sequence[Source]) -> list[Task]:
        """Return what looks different from outside than when it was indexed."""
        tasks: list[Task] = []
        same: list[Source] = []
        with timed(self.seconds, "compare"):
            for source in sources:
                record = self.index.catalogue.record(source.doc_id)
                if record is None:
                    tasks.append(Task(source, ""))
                elif (record.size, record.modified_ns) == (source.size, source.modified_ns) != (None, None):
                    same.append(source)
                else:
                    tasks.append(Task(source, record.content_hash))
        self._report_unchanged(same)
        return tasks

    def _report_unchanged(self, sources: Sequence[Source]) -> None:
        self.counts["unchanged"] += len(sources)
        if sources:
            self.progress.advance([source.doc_id for source in sources], sum(source.size or 0 for source in sources))

    def _write(self, tasks: Sequence[Task], places: Sequence[str]) -> None:
        most = _BATCH_CHUNKS if self.encoders == _Encoders(None, None) else _BATCH_CHUNKS_EMBEDDED
        size_bytes = sum(task.source.size or 0 for task in tasks)
        batch: list[Result] = []
        pending, since = 0, time.perf_counter()
        for results, seconds in in_order(self.prepare, units(tasks), self.options.processes, size_bytes):
            for step, spent in seconds.items():
                self.seconds[step] = self.seconds.get(step, 0.0) + spent
            for result in results:
                if result.document is None:
                    self._settle(result)
                    continue
                self.losses += losses_of(result.document)
                batch.append(result)
                pending += len(result.entries)
                if pending >= most or time.perf_counter() - since > _BATCH_SECONDS:
                    self._commit(batch, places)
                    batch, pending, since = [], 0, time.perf_counter()
        self._commit(batch, places)

    def _settle(self, result: Result) -> None:
        """Take note of a file that brings nothing to write."""
        source = result.source
        if not result.reason:
            self.index.catalogue.touch(source.doc_id, source.size, source.modified_ns)
            self._report_unchanged([source])
            return
        self.skipped.append(Skipped(source.location, result.reason))
        if result.lost:
            self.lost.append(source.doc_id)
        elif self.index.catalogue.record(source.doc_id) is not None:
            self.counts["kept"] += 1

    def _commit(self, batch: Sequence[Result], places: Sequence[str]) -> None:
        if not batch:
            return
        catalogue = self.index.catalogue
        entries = [entry for result in batch for entry in result.entries]
        if self.encoders.embedder is not None:
            with timed(self.seconds, "embed"):
                entries = add_vectors(entries, self.encoders.embedder)
        if self.encoders.token_encoder is not None:
            with timed(self.seconds, "embed tokens"):
                entries = add_token_vectors(entries, self.encoders.token_encoder)
        doc_ids = [result.source.doc_id for result in batch]
        known = sum(catalogue.record(doc_id) is not None for doc_id in doc_ids)
        with timed(self.seconds, "write"):
            done = [_record(result, places) for result in batch]
            catalogue.begin((record.doc_id, record.source, record.root) for record, _ in done)
            self.index.store.replace(doc_ids, entries)
            catalogue.finish(done)
        size_bytes = sum(result.size_bytes for result in batch)
        self.counts["changed"] += known
        self.counts["added"] += len(batch) - known
        self.counts["chunks"] += len(entries)
        self.counts["size_bytes"] += size_bytes
        self.progress.advance(doc_ids, size_bytes)

    def _remove_gone(self, seen: set[str], places: Sequence[str]) -> None:
        skipped = [skip.location for skip in self.skipped]
        gone: list[str] = []
        for doc_id, source in list(self.index.catalogue.places()):
            if doc_id in seen or _holder(source, places) is None:
                continue
            if _holder(source, skipped) is not None and _may_exist(source):
                self.counts["kept"] += 1
            else:
                gone.append(doc_id)
        known = {doc_id for doc_id, _ in self.index.catalogue.places()}
        gone += [doc_id for doc_id in self.lost if doc_id in known]
        for first in range(0, len(gone), 500):
            doc_ids = gone[first : first + 500]
            self.index.catalogue.begin_removal(doc_ids)
            self.index.store.replace(doc_ids, [])
            self.index.catalogue.remove(doc_ids)
        self.counts["deleted"] += len(gone)

    def _note_skipped(self, places: Sequence[str]) -> None:
        before = [location for location, _ in self.index.catalogue.skipped()]
        forget = [location for location in before if _holder(location, places) is not None]
        self.index.catalogue.note_skipped(forget, [(skip.location, skip.reason) for skip in self.skipped])


def _record(result: Result, places: Sequence[str]) -> tuple[DocumentRecord, Document]:
    source, document = result.source, result.document
    if document is None:
        raise TypeError("Only a parsed document has a record.")
    record = DocumentRecord(
        doc_id=source.doc_id,
        source=source.location,
        root=_holder(source.location, places) or "",
        content_hash=result.content_hash,
        size=source.size,
        modified_ns=source.modified_ns,
        chunk_count=len(result.entries),
        title=document.title,
        indexed_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    return record, document


def _place(root: str | Path) -> str:
    """Return a root as the locations below it begin."""
    return normalize_url(str(root)) if is_url(str(root)) else os.path.abspath(Path(root).expanduser())


def _holder(location: str, places: Iterable[str]) -> str | None:
    """Return the first of ``places`` that is ``location`` or a folder above it."""
    return next(
        (place for place in places if location == place or location.startswith(place.rstrip(os.sep) + os.sep)), None
    )


def _may_exist(location: str) -> bool:
    """Tell a file that is gone from one that cannot be looked at."""
    if is_url(location):
        return True
    try:
        os.stat(location)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return True
