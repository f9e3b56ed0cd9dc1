"""Where the engines keep what they made of a model: graphs, and measured speeds, in the user's cache folder."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from secondpass.errors import InputError

FORMAT = 4
"""Raised whenever graphs are written in another way, so that older ones are no longer used."""


def cache_folder() -> Path:
    """Return the folder for what can be made again: ``SECONDPASS_CACHE``, or the platform's place for caches."""
    if own := os.environ.get("SECONDPASS_CACHE"):
        return Path(own).expanduser()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "secondpass" / "cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "secondpass"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "secondpass"


def made_once(name: str, make: Callable[[Path], None]) -> Path:
    """Return the folder ``engines/NAME`` of the cache, filled by ``make`` where it does not exist yet.

    It is made beside its place and then moved there, so that a killed process leaves no half of it, and two processes
    may make it at the same time.

    Raises:
        InputError: the cache folder cannot be written.
    """
    target = cache_folder() / "engines" / f"{name}-{FORMAT}"
    if target.is_dir():
        _mark_used(target)
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=f"{target.name}.", suffix=".part", dir=target.parent))
        try:
            make(made)
            _move(made, target)
        finally:
            shutil.rmtree(made, ignore_errors=True)
    except OSError as error:
        raise InputError(
            f"The cache folder {target.parent} cannot be written ({error.strerror or error}): free some space, or "
            "name another folder in the environment variable SECONDPASS_CACHE."
        ) from error
    return target


def _mark_used(target: Path) -> None:
    """Note that a graph was opened: the cache forgets the least recently used ones first."""
    with contextlib.suppress(OSError):  # a cache that may only be read
        os.utime(target)


def _move(made: Path, target: Path) -> None:
    try:
        made.rename(target)
    except OSError:
        if not target.is_dir():  # else another process was faster, and made the same
            raise


def write_atomically(path: Path, text: str) -> None:
    """Replace a small file at once, so that a reader sees the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f"{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        Path(name).replace(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
