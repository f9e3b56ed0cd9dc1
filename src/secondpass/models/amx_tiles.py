"""Intel's matrix instructions (AMX), to be written with `machine_code`.

A tile is a register of 16 rows of 64 bytes; there are eight. Rows that begin at multiples of 64 bytes are read five
times as fast. What each instruction does: Intel's Architecture Instruction Set Extensions Programming Reference,
chapter 3.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
from llvmlite import ir

from secondpass.models.machine_code import Code, Whole, value_of

TILE_ROWS, ROW_BYTES, TILE_BYTES = 16, 64, 1024
ROOM_START = 128
"""Two configurations stand at the beginning of a `new_room`: ours, and that of others while ours is in force."""
FEATURES = "+amx-tile,+amx-bf16"
"""What LLVM calls the instructions, for `machine_code.compiled`."""

_BYTE, _NOTHING = ir.IntType(8), ir.VoidType()


def new_room(size: int) -> npt.NDArray[np.uint8]:
    """Return room for a function that computes with tiles: after `ROOM_START`, ``size`` bytes of zeros of its own."""
    room = aligned(ROOM_START + size)
    room[0] = 1  # the palette; then the configuration in which all eight tiles are whole
    room[16:32].view(np.uint16)[:] = ROW_BYTES
    room[48:56] = TILE_ROWS
    return room


def aligned(size: int) -> npt.NDArray[np.uint8]:
    """Return ``size`` bytes of zeros that begin at a multiple of 64."""
    raw = np.zeros(size + ROW_BYTES, np.uint8)
    start = -raw.ctypes.data % ROW_BYTES
    return raw[start : start + size]


@contextmanager
def configured(code: Code, room: Whole) -> Iterator[Tiles]:
    """Give the tiles to what the block writes, and afterwards leave them as others had configured them."""
    tiles = Tiles(code)
    tiles.save_configuration(room + 64)
    tiles.configure(room)
    yield tiles
    tiles.configure(room + 64)


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

    def load(self, tile: int, address: Whole) -> None:
        """Read the rows of ``tile`` from ``address``, one right after the other."""
        self._write("tileloadd64", _number(tile), self._code.pointer(address, _BYTE), value_of(ROW_BYTES))

    def store(self, tile: int, address: Whole, stride: int) -> None:
        """Write the rows of ``tile`` to ``address``, each ``stride`` bytes after the one before."""
        self._write("tilestored64", _number(tile), self._code.pointer(address, _BYTE), value_of(stride))

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
