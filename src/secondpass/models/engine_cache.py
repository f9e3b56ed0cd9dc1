"""The graphs that engines made of models and keep in the cache folder: how many, how large, and which may go.

A graph can always be made again. Kept is what was used in the last 60 days, the least recently used going first beyond
20 GB (``SECONDPASS_CACHE_GB`` says otherwise). What a running process has mapped, or opened in the last minute, stays.
"""

from __future__ import annotations

import logging
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from secondpass.errors import InputError
from secondpass.models.engine_files import cache_folder

_log = logging.getLogger(__name__)
DAYS_KEPT = 60
GIGABYTES_KEPT = 20.0
_SECONDS_OF_OPENING = 60.0
_SECONDS_OF_MAKING = 86_400.0
_DAY = 86_400.0
_GIGABYTE = 1e9


@dataclass(frozen=True, slots=True)
class CachedGraph:
    """A graph in the cache: its folder, its size, and when it was last opened (seconds since 1970).

    ``unfinished``: left behind by a process that was killed, or being made now.
    """

    folder: Path
    size_bytes: int
    used_at: float
    unfinished: bool


def graphs_folder() -> Path:
    """Return the folder that the graphs are kept in."""
    return cache_folder() / "engines"


def cached_graphs() -> list[CachedGraph]:
    """Return the graphs, the most recently used first."""
    return sorted(_graphs(), key=lambda graph: -graph.used_at)


def gigabytes_kept() -> float:
    """Return the most that the graphs may take together.

    Raises:
        InputError: ``SECONDPASS_CACHE_GB`` is no number.
    """
    written = os.environ.get("SECONDPASS_CACHE_GB", "")
    try:
        return float(written) if written.strip() else GIGABYTES_KEPT
    except ValueError as error:
        raise InputError(
            f"SECONDPASS_CACHE_GB is {written!r}; accepted is a number of gigabytes, such as 20."
        ) from error


def surplus(graphs: Sequence[CachedGraph], gigabytes: float, days: float, now: float) -> list[CachedGraph]:
    """Return which of ``graphs`` go: not used for ``days``, beyond ``gigabytes`` together, or left unfinished."""
    going, kept_bytes = [], 0
    for graph in sorted(graphs, key=lambda graph: -graph.used_at):
        age = now - graph.used_at
        if graph.unfinished:
            if age > _SECONDS_OF_MAKING:
                going.append(graph)
            continue
        kept_bytes += graph.size_bytes
        if age > days * _DAY or kept_bytes > gigabytes * _GIGABYTE:
            kept_bytes -= graph.size_bytes
            going.append(graph)
    return going


def clean(gigabytes: float | None = None, days: float = DAYS_KEPT, pretend: bool = False) -> list[CachedGraph]:
    """Remove what `surplus` says and nobody uses, and return it; with ``pretend`` nothing is removed."""
    now = time.time()
    going = surplus(cached_graphs(), gigabytes_kept() if gigabytes is None else gigabytes, days, now)
    mapped = _mapped_folders() if going else set()
    removed = []
    for graph in going:
        if graph.folder.name in mapped or now - graph.used_at < _SECONDS_OF_OPENING:
            continue
        if pretend or _remove(graph.folder):
            removed.append(graph)
    return removed


def make_room() -> None:
    """Remove what is beyond the bounds, before another graph is made."""
    removed = clean()
    if removed:
        size = sum(graph.size_bytes for graph in removed) / _GIGABYTE
        _log.info("%d graphs of engines that were long unused were removed (%.2f GB).", len(removed), size)


def _graphs() -> Iterator[CachedGraph]:
    base = graphs_folder()
    for folder in sorted(base.iterdir()) if base.is_dir() else ():
        try:
            sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
            used_at = folder.stat().st_mtime
        except OSError:  # another process removed it just now
            continue
        if folder.is_dir():
            yield CachedGraph(folder, sum(sizes), used_at, folder.suffix in {".part", ".removed"})


def _remove(folder: Path) -> bool:
    """Take the folder's name away first, so that no half of it is ever found."""
    away = folder.with_name(f"{folder.name}.{os.getpid()}.removed")
    try:
        folder.rename(away)
    except OSError:  # on Windows: a process has it open
        return False
    shutil.rmtree(away, ignore_errors=True)
    return True


def _mapped_folders() -> set[str]:
    """Return the names of the graphs that running processes have mapped; empty where the system does not tell."""
    base = f"{graphs_folder().resolve()}{os.sep}"
    names = set()
    for maps in Path("/proc").glob("[0-9]*/maps"):
        try:
            lines = maps.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:  # another user's, or gone
            continue
        names |= {line.partition(base)[2].partition(os.sep)[0] for line in lines if base in line}
    return names
