"""Which instructions this machine's processor has, where the system says it (Linux)."""

from __future__ import annotations

import ctypes
import sys
from functools import cache
from pathlib import Path

_FILE = Path("/proc/cpuinfo")
_LISTS = ("flags", "Features")  # x86, ARM
BF16 = ("amx_bf16", "avx512_bf16", "bf16", "svebf16")
"""Any of these computes products of bfloat16."""
WIDE_INT8 = ("amx_int8", "avx512_vnni", "avx_vnni", "i8mm", "asimddp")
"""Any of these adds products of 8 bits up in 32; others go through 16 bits, where large sums are cut off."""
TILES = "amx_bf16"
"""Matrix instructions of Intel's processors; a process must ask for them."""
_ARCH_PRCTL, _ARCH_REQ_XCOMP_PERM, _XFEATURE_XTILEDATA = 158, 0x1023, 18  # Linux, Documentation/arch/x86/xstate.rst


@cache
def instructions() -> frozenset[str]:
    """Return the names of the processor's instruction sets; none where the system does not say."""
    if not _FILE.is_file():
        return frozenset()
    for line in _FILE.read_text(encoding="utf-8", errors="replace").splitlines():
        name, _, values = line.partition(":")
        if name.strip() in _LISTS:
            return frozenset(values.split())
    return frozenset()


def largest_weight() -> int:
    """Return the largest number that an int8 weight may be without sums that this processor cuts off."""
    return 63 if lacks(WIDE_INT8) else 127


def lacks(sets: tuple[str, ...]) -> bool:
    """Say whether the processor surely has none of ``sets``."""
    return bool(instructions()) and instructions().isdisjoint(sets)


def tiles_refused() -> str:
    """Have this process permitted to use `TILES`, and say why it may not; nothing where it may.

    Asking again does no harm.
    """
    if TILES not in instructions():
        return f"this processor has no instructions {TILES}; the other engines compute here"
    if not _permitted():
        return f"the system does not permit {TILES} here (Linux 5.16 and newer do)"
    return ""


def _permitted() -> bool:
    if sys.platform != "linux":
        return False
    refused: int = ctypes.CDLL(None).syscall(_ARCH_PRCTL, _ARCH_REQ_XCOMP_PERM, _XFEATURE_XTILEDATA)
    return refused == 0
