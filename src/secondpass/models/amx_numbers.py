"""Float32 numbers as two of bfloat16, which is what the tiles of AMX multiply: the number rounded, and what that left.

All four products of two such numbers are added up: without the smallest, which is never negative for equal numbers,
32 equal vectors of length 1 would be 1e-4 short together. What the second rounding leaves is at most 2^-17 of the
product of the sizes.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from llvmlite import ir

from secondpass.models.amx_tiles import ROW_BYTES, TILE_BYTES, Tiles, aligned
from secondpass.models.machine_code import Code, Whole
from secondpass.types import FloatArray

BLOCK, STEP = 32, 32
"""So many rows and columns are computed together, in four tiles; so many numbers one instruction multiplies."""
NUMBER_BYTES = 4
STEP_BYTES = 4 * TILE_BYTES
"""A block's step: two tiles of the numbers rounded, then two of the rest."""

_INT = ir.IntType(32)
_NUMBERS, _FLOATS = ir.VectorType(_INT, 16), ir.VectorType(ir.FloatType(), 16)
_HALVES = ir.VectorType(ir.IntType(16), 32)


def parts(numbers: FloatArray) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.uint16]]:
    """Return float32 numbers rounded to bfloat16, and what that left, as the bits of bfloat16."""
    half, width = np.uint32(1 << 15), np.uint32(16)
    rounded = (numbers.view(np.uint32) + half) >> width
    rest = numbers - (rounded << width).view(np.float32)
    return rounded.astype(np.uint16), ((rest.view(np.uint32) + half) >> width).astype(np.uint16)


def right_tiles(columns: FloatArray) -> npt.NDArray[np.uint8]:
    """Return ``columns``, float32 [N, K], as the right side of a product, both multiples of 32.

    Blocks of 32 columns follow each other, in each its steps, in each step `STEP_BYTES`.
    """
    blocks, steps = len(columns) // BLOCK, columns.shape[1] // STEP
    numbers = np.ascontiguousarray(columns)
    # blocks, halves of a block, its columns, steps, pairs of numbers, one of a pair
    by_pair = [part.reshape(blocks, 2, 16, steps, 16, 2).transpose(0, 3, 1, 4, 2, 5) for part in parts(numbers)]
    tiles = np.ascontiguousarray(np.stack(by_pair, axis=2))
    found = aligned(tiles.nbytes)
    found[:] = tiles.reshape(-1).view(np.uint8)
    return found


def write_split(code: Code, source: Whole, rounded: Whole, rest: Whole) -> None:
    """Write the code that takes 32 numbers at ``source`` apart, as `parts` does."""
    write = code.builder
    half, upper = (ir.Constant(_NUMBERS, [value] * 16) for value in (0x8000, 0xFFFF0000))
    numbers = [write.load(code.pointer(source + place, _NUMBERS), align=4) for place in (0, 64)]
    near = [write.add(one, half) for one in numbers]
    whole = [write.bitcast(write.and_(one, upper), _FLOATS) for one in near]
    left = [write.fsub(write.bitcast(one, _FLOATS), other) for one, other in zip(numbers, whole, strict=True)]
    left = [write.add(write.bitcast(one, _NUMBERS), half) for one in left]
    upper_halves = ir.Constant(ir.VectorType(_INT, 32), [2 * place + 1 for place in range(32)])
    for pair, place in ((near, rounded), (left, rest)):
        halves = write.shuffle_vector(*(write.bitcast(one, _HALVES) for one in pair), upper_halves)
        write.store(halves, code.pointer(place, _HALVES), align=ROW_BYTES)


def write_step(tiles: Tiles, left: Whole, right: Whole, between: Callable[[int], None]) -> None:
    """Write the products of one step of 32 rows and 32 columns, added to the tiles 0 to 3.

    ``between`` is called with 0 to 15, after each product: for what else is to be done meanwhile.
    """
    rounded, rest = (0, TILE_BYTES), (2 * TILE_BYTES, 3 * TILE_BYTES)
    # What is read before the products of each of the four parts; a tile that is read stays for the next part.
    for part, (rows, columns) in enumerate(((rest, rest), (rounded, ()), ((), rounded), (rest, ()))):
        for tile, place in enumerate(rows):
            tiles.load(4 + tile, left + place)
        for tile, place in enumerate(columns):
            tiles.load(6 + tile, right + place)
        for total in range(4):
            tiles.add_product(total, 4 + total // 2, 6 + total % 2)
            between(4 * part + total)


def write_fetch(code: Code, address: Whole) -> None:
    """Write that the line at ``address`` be brought into the core's second cache; any address will do."""
    reading, second_cache, data = (ir.Constant(_INT, value) for value in (0, 2, 1))
    place = code.pointer(address, ir.IntType(8))
    code.call("llvm.prefetch.p0", ir.VoidType(), [place, reading, second_cache, data])
