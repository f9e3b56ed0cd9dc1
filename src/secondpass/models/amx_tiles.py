"""Intel's matrix instructions (AMX), to be written with `machine_code`.

A tile is a register of 16 rows of 64 bytes; there are eight. Rows that begin at multiples of 64 bytes are read five
times as fast. What each instruction does: Intel's Architecture Instruction Set Extensions Programming Reference,
chapter 3.
"""

from __future__ import annotations

import ctypes
import sys
from typing import Any

import numpy as np
import numpy.typing as npt
from llvmlite import ir

from secondpass.models.machine_code import Code, Whole

TILE_ROWS, ROW_BYTES, TILE_BYTES = 16, 64, 1024
FEATURES = "+amx-tile,+amx-bf16"
"""What LLVM calls the instructions, for `machine_code.compiled`."""

_ARCH_PRCTL, _ARCH_REQ_XCOMP_PERM, _XFEATURE_XTILEDATA = 158, 0x1023, 18  # Linux, Documentation/arch/x86/xstate.rst
_BYTE, _NOTHING = ir.IntType(8), ir.VoidType()


def permit() -> bool:
    """Ask Linux to let this process use tiles, and say whether it does; asking twice does no harm."""
    if sys.platform != "linux":
        return False
    refused: int = ctypes.CDLL(None).syscall(_ARCH_PRCTL, _ARCH_REQ_XCOMP_PERM, _XFEATURE_XTILEDATA)
    return refused == 0


def whole_tiles() -> npt.NDArray[np.uint8]:
    """Return the configuration in which all eight tiles are whole, uint8 [64]."""
    setting = np.zeros(64, np.uint8)
    setting[0] = 1  # the palette
    setting[16:32].view(np.uint16)[:] = ROW_BYTES
    setting[48:56] = TILE_ROWS
    return setting


class Tiles:
    """Writes the instructions into ``code``; tiles are named by their numbers, 0 to 7."""

    def __init__(self, code: Code) -> None:
        self._code = code

    def configure(self, address: Whole) -> None:
        """Take the configuration of 64 bytes at ``address``; all tiles become zero."""
        self._write("ldtilecfg", self._code.pointer(address, _BYTE))

    def save_configuration(self, address: Whole) -> None:
        """Write the configuration that is in force to the 64 bytes at ``address``."""
        self._write("sttilecfg", self._code.pointer(address, _BYTE))

    def clear(self, tile: int) -> None:
        """Set ``tile`` to zero."""
        self._write("tilezero", _number(tile))

    def load(self, tile: int, address: Whole, stride: int = ROW_BYTES) -> None:
        """Read the rows of ``tile`` from ``address``, each ``stride`` bytes after the one before."""
        self._write(
            "tileloadd64", _number(tile), self._code.pointer(address, _BYTE), ir.Constant(ir.IntType(64), stride)
        )

    def store(self, tile: int, address: Whole, stride: int = ROW_BYTES) -> None:
        """Write the rows of ``tile`` to ``address``, each ``stride`` bytes after the one before."""
        self._write(
            "tilestored64", _number(tile), self._code.pointer(address, _BYTE), ir.Constant(ir.IntType(64), stride)
        )

    def add_product(self, total: int, left: int, right: int) -> None:
        """Add the product of two tiles of bfloat16 to ``total``, float32 [16, 16].

        ``left`` is [16, 32]; ``right`` is [32, 16] with two rows in one: its row i holds the numbers 2 i and 2 i + 1 of
        every column, side by side.
        """
        self._write("tdpbf16ps", _number(total), _number(left), _number(right))

    def _write(self, name: str, *values: Any) -> None:
        self._code.call(f"llvm.x86.{name}", _NOTHING, list(values))


def _number(tile: int) -> Any:
    return ir.Constant(_BYTE, tile)
