"""Which instructions this machine's processor has, where the system says it (Linux)."""

from __future__ import annotations

from functools import cache
from pathlib import Path

_FILE = Path("/proc/cpuinfo")
_LISTS = ("flags", "Features")  # x86, ARM
BF16 = ("amx_bf16", "avx512_bf16", "bf16", "svebf16")
"""Any of these computes products of bfloat16."""
WIDE_INT8 = ("amx_int8", "avx512_vnni", "avx_vnni", "i8mm", "asimddp")
"""Any of these adds products of 8 bits up in 32; others go through 16 bits, where large sums are cut off."""


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
