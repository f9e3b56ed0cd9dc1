"""A folder that is there whole or not at all, whatever ends the process that writes it."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from secondpass.errors import InputError

_log = logging.getLogger(__name__)
_LOCK = "writing.lock"
_SPARE_BYTES = 16 << 20


@contextmanager
def whole_folder(target: Path, needed_bytes: int) -> Iterator[Path]:
    """Give a folder beside ``target`` to write into; it takes the name of ``target`` when all is written.

    What a killed process left beside it is removed first.

    Raises:
        InputError: ``target`` exists, is being written by another process, or the disk is full.
    """
    check_free_name(target)
    made = target.with_name(f".{target.name}.part")
    try:
        made.mkdir(parents=True, exist_ok=True)
        lock = _held(made, target)
        try:
            _empty(made)
            _check_room(made, needed_bytes, target)
            yield made
            _sync(made)
            lock.release()
            _move(made, target)
        finally:
            lock.release()
            shutil.rmtree(made, ignore_errors=True)  # it is not there any more where it was moved
    except OSError as error:
        raise InputError(
            f"{target} cannot be written ({error.strerror or error}); nothing is left of it. Free some space, or name "
            "another place."
        ) from error


def check_free_name(target: Path) -> None:
    """Refuse a name that is taken, before any work is done.

    Raises:
        InputError: something is there.
    """
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise InputError(f"{target} exists already; name a folder that does not.")


def _held(made: Path, target: Path) -> FileLock:
    """Take the lock of a folder that is being written; the system lets go of it when the process ends."""
    lock = FileLock(made / _LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise InputError(f"{target} is being written by another process; wait for it, or name another.") from error
    return lock


def _move(made: Path, target: Path) -> None:
    (made / _LOCK).unlink(missing_ok=True)
    if target.is_dir():
        target.rmdir()  # an empty one
    made.rename(target)
    _sync_entry(target.parent)


def _empty(made: Path) -> None:
    """Remove what an interrupted process left."""
    left = [path for path in made.iterdir() if path.name != _LOCK]
    for path in left:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    if left:
        _log.info("%s, which an interrupted merge left, was removed.", made)


def _check_room(made: Path, needed_bytes: int, target: Path) -> None:
    free = shutil.disk_usage(made).free
    if free < needed_bytes + _SPARE_BYTES:
        raise InputError(
            f"{target} needs {(needed_bytes + _SPARE_BYTES) / 1e9:.2f} GB and {free / 1e9:.2f} GB are free there; free "
            "some space, or name another place."
        )


def _sync(made: Path) -> None:
    for path in made.rglob("*"):
        if path.is_file() and path.name != _LOCK:
            with path.open("rb") as file:
                os.fsync(file.fileno())
    _sync_entry(made)


def _sync_entry(folder: Path) -> None:
    """Have the names in a folder on the disk; not every system can."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
