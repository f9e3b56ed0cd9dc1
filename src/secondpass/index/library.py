"""An index as a folder: manifest, lock, store and catalogue, opened and closed together."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import TracebackType

from secondpass.errors import StoreError
from secondpass.index import manifest as manifests
from secondpass.index.catalogue import FILE_NAME as CATALOGUE_NAME
from secondpass.index.catalogue import Catalogue
from secondpass.index.lock import HOLDER_NAME, LOCK_NAME, IndexLock
from secondpass.index.manifest import Manifest
from secondpass.index.qdrant_edge import QdrantEdgeStore
from secondpass.types import Document

STORE_NAME = "store"
SEARCH_TIMEOUT_SECONDS = 10.0
INDEXING_TIMEOUT_SECONDS = 0.5
_REPAIR_DOCUMENTS = 100
_OURS = {
    LOCK_NAME,
    HOLDER_NAME,
    STORE_NAME,
    manifests.FILE_NAME,
    manifests.FILE_NAME + ".new",
    *(CATALOGUE_NAME + ending for ending in ("", "-wal", "-shm", "-journal")),
}


class Index:
    """An open index. Made by `open_index` or `create_index`; one process has it at a time, from opening to `close`."""

    def __init__(self, folder: Path, lock: IndexLock, manifest: Manifest) -> None:
        self.folder = folder
        self.manifest = manifest
        self._lock = lock
        self.catalogue = Catalogue(folder / CATALOGUE_NAME)
        try:
            self.store = QdrantEdgeStore(folder / STORE_NAME, *_dimensions(manifest))
        except StoreError:
            self.catalogue.close()
            raise

    def __enter__(self) -> Index:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Write what is pending and let other processes in."""
        try:
            self.store.close()
            self.catalogue.close()
        finally:
            self._lock.release()

    def document(self, doc_id: str) -> Document | None:
        """Return a document as it was indexed; None where there is none, or where a run was cut off in it."""
        return self.catalogue.document(doc_id)

    def unfinished(self) -> list[str]:
        """Return the documents in which a run was cut off; indexing their folder again sets them right."""
        return self.catalogue.unfinished()


def open_index(folder: Path, lock_timeout_seconds: float = SEARCH_TIMEOUT_SECONDS) -> Index:
    """Open the index at ``folder``, waiting up to ``lock_timeout_seconds`` for another process to end.

    Raises:
        StoreError: there is no index, it is in use, it is damaged, or it was made by a newer version.
    """
    if (problem := _why_no_index(folder)) is not None:
        raise StoreError(problem)
    lock = IndexLock(folder)
    lock.acquire(lock_timeout_seconds)
    try:
        manifest = manifests.read(folder)
        manifests.check_analyzer(folder, manifest)
        index = Index(folder, lock, manifest)
    except StoreError:
        lock.release()
        raise
    try:
        _repair(index)
        _compare(index)
    except StoreError:
        index.close()
        raise
    return index


def create_index(folder: Path, manifest: Manifest, *, rebuild: bool = False) -> Index:
    """Make an empty index at ``folder`` and open it; ``rebuild`` throws away the one that is there.

    The manifest is written last: what was cut off before is no index yet, and made anew by the next call.

    Raises:
        StoreError: the folder holds an index (without ``rebuild``) or anything else, or cannot be written.
    """
    _check_place(folder, rebuild)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"The folder {folder} cannot be made ({error.strerror}); choose another --index.") from error
    lock = IndexLock(folder)
    lock.acquire(INDEXING_TIMEOUT_SECONDS)
    try:
        _check_place(folder, rebuild)  # another process may have been faster
        if not rebuild:
            _check_unused(folder)
        _clear(folder)
        QdrantEdgeStore(folder / STORE_NAME, *_dimensions(manifest), create=True).close()
        Catalogue(folder / CATALOGUE_NAME).close()
        manifests.write(folder, manifest)
        return Index(folder, lock, manifest)
    except OSError as error:
        lock.release()
        raise StoreError(f"The index at {folder} cannot be made ({error.strerror}).") from error
    except StoreError:
        lock.release()
        raise


def is_index(folder: Path) -> bool:
    """Tell whether there is an index at ``folder``."""
    return _why_no_index(folder) is None


def _dimensions(manifest: Manifest) -> tuple[int | None, int | None]:
    """Return the lengths of an index's vectors and token vectors."""
    embedder, token_encoder = manifest.embedder, manifest.token_encoder
    return embedder.dimension if embedder else None, token_encoder.dimension if token_encoder else None


def _why_no_index(folder: Path) -> str | None:
    first = "make one with: secondpass index DOCUMENTS"
    if folder.is_file():
        return f"{folder} is a file, not the folder of an index; give the folder, or {first}."
    if not folder.is_dir():
        return f"There is no index at {folder}; {first}."
    names = {path.name for path in folder.iterdir()}
    if manifests.FILE_NAME in names:
        return None
    if not names:
        return f"{folder} is an empty folder, not an index; {first}."
    if names <= _OURS:
        return (
            f"The index at {folder} has no {manifests.FILE_NAME}: its making was cut off, or the file was lost; make "
            "the index again with: secondpass index DOCUMENTS --rebuild"
        )
    return f"{folder} is a folder, but not an index (it has no {manifests.FILE_NAME}); {first}."


def _check_place(folder: Path, rebuild: bool) -> None:
    """Refuse to make an index where something else would be lost."""
    if folder.is_file():
        raise StoreError(f"{folder} is a file; an index needs a folder of its own: choose another --index.")
    if not folder.is_dir():
        return
    names = {path.name for path in folder.iterdir()}
    if not names <= _OURS:
        other = sorted(names - _OURS)[0]
        raise StoreError(
            f"{folder} holds other files ({other!r} and perhaps more); an index needs a folder of its own: choose "
            "another --index."
        )
    if manifests.FILE_NAME in names and not rebuild:
        raise StoreError(f"There is an index at {folder} already; open it, or give --rebuild to build it again.")


def _check_unused(folder: Path) -> None:
    """Refuse to make an index over one that only lost its manifest."""
    path = folder / CATALOGUE_NAME
    if not path.exists():
        return
    catalogue = Catalogue(path)
    used = any(True for _ in catalogue.places())
    catalogue.close()
    if used:
        raise StoreError(
            f"The index at {folder} holds documents, but has lost its {manifests.FILE_NAME}; restore that from a "
            "backup, or give --rebuild to build the index again."
        )


def _clear(folder: Path) -> None:
    """Remove an index, its manifest first: killed in between, what is left is no index."""
    for name in sorted(_OURS - {LOCK_NAME, HOLDER_NAME}, key=lambda name: name != manifests.FILE_NAME):
        path = folder / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _repair(index: Index) -> None:
    """Clear chunks that lie in the store twice, which an optimisation that was killed may leave."""
    if not index.store.has_doubles():
        return
    index.store.optimize()
    records = index.catalogue.records() if index.store.has_doubles() else []
    for first in range(0, len(records), _REPAIR_DOCUMENTS):
        part = records[first : first + _REPAIR_DOCUMENTS]
        doc_ids = [record.doc_id for record in part]
        index.catalogue.begin((record.doc_id, record.source, record.root) for record in part)
        index.store.rewrite(doc_ids)
        index.catalogue.resume(doc_ids)


def _compare(index: Index) -> None:
    """Refuse an index whose store lost or won chunks since they were counted.

    Only where no run was cut off: an unfinished document may have any of its chunks.
    """
    if index.unfinished():
        return
    _, expected = index.catalogue.counts()
    found = index.store.count()
    if found != expected:
        raise StoreError(
            f"The index at {index.folder} is damaged: it should have {expected} chunks and has {found}; build it again "
            "with --rebuild."
        )
