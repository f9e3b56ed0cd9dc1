"""Room on the disk, asked for before it is needed.

The engine writes through memory maps. A map that meets a full disk ends the process with SIGBUS, which no program can
turn into a sentence; so the room is counted before every write.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from secondpass.errors import StoreError

MEBIBYTE = 1 << 20

# What one write can claim beyond its own bytes: the engine opens files of 32 MiB as holes that fill later. Two belong
# to its log; payloads and term vectors each fill one and begin the next.
RESERVE_BYTES = (2 + 2 * 2) * 32 * MEBIBYTE


def require_free(folder: Path, needed_bytes: int, work: str) -> None:
    """Refuse to start ``work`` unless ``needed_bytes`` and the reserve are free where ``folder`` lies.

    Raises:
        StoreError: with what is free, what is needed, and that everything done so far is kept.
    """
    free = shutil.disk_usage(folder).free
    wanted = needed_bytes + RESERVE_BYTES
    if free < wanted:
        raise StoreError(
            f"Only {free // MEBIBYTE} MB are free at {folder}, {work} needs about {-(-wanted // MEBIBYTE)} MB; "
            "what was done is kept: free space and run again."
        )


def folder_bytes(folder: Path) -> int:
    """Return the bytes the files below ``folder`` really occupy; holes do not count."""
    total = 0
    for path in folder.rglob("*"):
        status = path.lstat()
        total += getattr(status, "st_blocks", -(-status.st_size // 512)) * 512
    return total
