"""Gives back the memory of files that a library keeps mapped after it has made its own form of what is in them."""

from __future__ import annotations

import ctypes
import mmap
import sys
from pathlib import Path


def forget_pages(folder: Path) -> None:
    """Let go of the pages of all files in ``folder`` that the process has mapped to read.

    What is looked at again comes from the file again, so that nothing changes but the process's size; pages that may
    have been written to are left alone. Linux only: elsewhere nothing happens.
    """
    if sys.platform != "linux":
        return
    prefix = f"{folder.resolve()}/"
    advise = ctypes.CDLL(None).madvise
    for line in Path("/proc/self/maps").read_text(encoding="utf-8", errors="surrogateescape").splitlines():
        # First byte, end, rights, offset, device, inode, path; see proc(5).
        place, rights, *_, path = [*line.split(maxsplit=5), ""][:6]
        if path.startswith(prefix) and "w" not in rights:
            start, end = (int(number, 16) for number in place.split("-"))
            advise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), mmap.MADV_DONTNEED)
