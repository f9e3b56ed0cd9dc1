"""MaxSim by the matrix instructions of Intel's processors (AMX).

The instructions multiply bfloat16, of 8 bits, and add up in float32. A float32 number is written as two of bfloat16,
the number rounded and what the rounding left; of the four products of two such numbers three are computed. What is left
out and the second rounding are at most 3 x 2^-18 of the product of both vectors' lengths: scores of unit vectors are
within 1e-5 of those in float32 (docs/log.md).

Passages are read once, as they lie in the pack, and their products stay in the core's cache. Reading them from memory
takes most of the time, so what comes next is fetched while tiles compute.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from llvmlite import ir

from secondpass.errors import InputError
from secondpass.models.amx_tiles import FEATURES, ROW_BYTES, TILE_BYTES, Tiles, permit, whole_tiles
from secondpass.models.machine_code import Code, Whole, compiled
from secondpass.models.maxsim import DIMENSION_MULTIPLE, LENGTH_MULTIPLE, PackedPassages
from secondpass.types import FloatArray

BLOCK = 32
"""So many vectors of passages, and as many of the query, have their products computed together, in four tiles."""
STEP = DIMENSION_MULTIPLE
"""So many numbers of a vector one instruction multiplies."""

_NUMBER_BYTES = 4
_PRODUCT_ROW = BLOCK * _NUMBER_BYTES  # bytes
_AHEAD = 32768  # bytes between what is computed and what is fetched
_LINES_BY_A_PRODUCT = 3  # fetched lines of 64 bytes; of the others of a step each row of numbers fetches one

# Where in the room that a scorer computes in, in bytes:
_ROUNDED = 0
_REST = _ROUNDED + 2 * TILE_BYTES
_PRODUCTS = _REST + 2 * TILE_BYTES
_NEAREST = _PRODUCTS + 4 * TILE_BYTES
_CONFIGURATION = _NEAREST + _PRODUCT_ROW
_OTHERS_CONFIGURATION = _CONFIGURATION + 64
_PASSAGE = _OTHERS_CONFIGURATION + 64  # the number of the one that is read
_ROOM = _PASSAGE + 8

_INT, _FLOAT = ir.IntType(32), ir.FloatType()
_NUMBERS, _FLOATS, _HALVES = ir.VectorType(_INT, 16), ir.VectorType(_FLOAT, 16), ir.VectorType(ir.IntType(16), 32)
_ROW = ir.VectorType(_FLOAT, BLOCK)


class AmxMaxSim:
    """MaxSim that computes on one thread, whoever calls.

    Raises:
        InputError: the system does not let this process use the instructions.
    """

    name = "amx"

    def __init__(self) -> None:
        if not permit():
            raise InputError("MaxSim by amx: the system does not permit AMX here (Linux 5.16 and newer do).")
        self._score_block = compiled(_write_scores, arguments=7, features=FEATURES)

    def score(self, query: FloatArray, passages: PackedPassages) -> FloatArray:
        """Return the MaxSim of ``query`` (float32 [Q, D]) with every passage, float32 [N]."""
        wide = passages.same_width(query)
        room = _aligned(_ROOM)
        room[_CONFIGURATION:_OTHERS_CONFIGURATION] = whole_tiles()
        rows, dimension = passages.vectors.shape
        scores = np.zeros(passages.count, np.float32)
        of_block = np.empty(passages.count, np.float32)  # in the order of the pack
        for first in range(0, len(wide), BLOCK):
            tiles = _query_tiles(wide[first : first + BLOCK])
            places = [one.ctypes.data for one in (passages.vectors, tiles, passages.ends, of_block, room)]
            self._score_block(*places, rows, dimension // STEP)
            scores[passages.order] += of_block
        return scores


def _query_tiles(query: FloatArray) -> npt.NDArray[np.uint8]:
    """Return at most 32 query vectors as tiles of bfloat16: for every step two of the rounded numbers, two of the rest.

    Vectors of zeros fill up what is missing: their nearest products are 0 and change no sum.
    """
    whole = np.pad(query, ((0, BLOCK - len(query)), (0, 0)))
    parts = [part.reshape(2, 16, -1, 16, 2) for part in _parts(whole)]  # halves, columns, steps, pairs, one of a pair
    tiles = np.stack([part.transpose(2, 0, 3, 1, 4) for part in parts], axis=1)
    found = _aligned(tiles.nbytes)
    found[:] = np.ascontiguousarray(tiles).view(np.uint8).ravel()
    return found


def _parts(numbers: FloatArray) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.uint16]]:
    """Return float32 numbers rounded to bfloat16, and what that left, as the bits of bfloat16."""
    half, width = np.uint32(1 << 15), np.uint32(16)
    rounded = (numbers.view(np.uint32) + half) >> width
    rest = numbers - (rounded << width).view(np.float32)
    return rounded.astype(np.uint16), ((rest.view(np.uint32) + half) >> width).astype(np.uint16)


def _aligned(size: int) -> npt.NDArray[np.uint8]:
    """Return ``size`` bytes of zeros that begin at a multiple of 64."""
    raw = np.zeros(size + ROW_BYTES, np.uint8)
    start = -raw.ctypes.data % ROW_BYTES
    return raw[start : start + size]


def _write_scores(code: Code) -> None:
    """Write the code that computes the MaxSim of passages with 32 query vectors.

    Its arguments: the ``vectors`` of passages, float32 [rows, 32 x steps]; the ``query``, see `_query_tiles`; ``ends``,
    int64 [N], where each passage ends, at multiples of 8; where the ``scores`` go, float32 [N]; ``room``; ``rows``;
    ``steps``.
    """
    vectors, query, ends, scores, room, rows, steps = code.arguments
    tiles = Tiles(code)
    tiles.save_configuration(room + _OTHERS_CONFIGURATION)
    tiles.configure(room + _CONFIGURATION)
    _forget_nearest(code, room + _NEAREST)
    code.write_whole(room + _PASSAGE, 0)
    row_bytes = steps * STEP * _NUMBER_BYTES
    with code.loop((rows + BLOCK - 1) // BLOCK) as block:
        place = vectors + block * BLOCK * row_bytes
        here = (rows - block * BLOCK).at_most(BLOCK)
        for tile in range(4):
            tiles.clear(tile)
        with code.loop(steps) as step:
            part = place + step * STEP * _NUMBER_BYTES
            ahead = place + step * BLOCK * STEP * _NUMBER_BYTES + _AHEAD
            with code.loop(here) as row:
                rounded = room + _ROUNDED + row * ROW_BYTES
                _split(code, part + row * row_bytes, rounded, rounded + (_REST - _ROUNDED))
                _fetch(code, ahead + row * ROW_BYTES)
            ahead += BLOCK * ROW_BYTES
            query_part = query + step * 4 * TILE_BYTES
            for turn, (of_passages, of_query) in enumerate(((_ROUNDED, 2), (_ROUNDED, 0), (_REST, 0))):
                lines = ahead + turn * 4 * _LINES_BY_A_PRODUCT * ROW_BYTES
                _multiply(code, tiles, room + of_passages, query_part + of_query * TILE_BYTES, lines)
        for tile in range(4):
            upper, left = tile < 2, tile % 2 == 0
            corner = (0 if upper else 16 * _PRODUCT_ROW) + (0 if left else ROW_BYTES)
            tiles.store(tile, room + _PRODUCTS + corner, _PRODUCT_ROW)
        with code.loop(here // LENGTH_MULTIPLE) as part:
            _keep_nearest(code, room + _PRODUCTS + part * LENGTH_MULTIPLE * _PRODUCT_ROW, room + _NEAREST)
            passage = code.read_whole(room + _PASSAGE)
            done = block * BLOCK + part * LENGTH_MULTIPLE + LENGTH_MULTIPLE
            with code.when(done.equals(code.read_whole(ends + passage * 8))):
                _add_up(code, room + _NEAREST, scores + passage * _NUMBER_BYTES)
                _forget_nearest(code, room + _NEAREST)
                code.write_whole(room + _PASSAGE, passage + 1)
    tiles.configure(room + _OTHERS_CONFIGURATION)


def _multiply(code: Code, tiles: Tiles, vectors: Whole, query: Whole, ahead: Whole) -> None:
    """Add the products of 32 vectors and 32 of the query, 32 numbers of each, to the tiles 0 to 3."""
    for half in range(2):
        tiles.load(4 + half, vectors + half * TILE_BYTES)
        tiles.load(6 + half, query + half * TILE_BYTES)
    for total in range(4):
        tiles.add_product(total, 4 + total // 2, 6 + total % 2)
        for line in range(_LINES_BY_A_PRODUCT):
            _fetch(code, ahead + (total * _LINES_BY_A_PRODUCT + line) * ROW_BYTES)


def _split(code: Code, source: Whole, rounded: Whole, rest: Whole) -> None:
    """Write 32 numbers at ``source`` as 32 of bfloat16 and 32 of what the rounding left; see `_parts`."""
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


def _fetch(code: Code, address: Whole) -> None:
    """Ask for the line at ``address`` to be brought into the core's second cache; any address will do."""
    reading, second_cache, data = (ir.Constant(_INT, value) for value in (0, 2, 1))
    place = code.pointer(address, ir.IntType(8))
    code.call("llvm.prefetch.p0", ir.VoidType(), [place, reading, second_cache, data])


def _forget_nearest(code: Code, nearest: Whole) -> None:
    lowest = ir.Constant(_ROW, [float("-inf")] * BLOCK)
    code.builder.store(lowest, code.pointer(nearest, _ROW), align=ROW_BYTES)


def _keep_nearest(code: Code, products: Whole, nearest: Whole) -> None:
    """Raise the 32 numbers at ``nearest`` to the largest of eight rows of as many at ``products``."""
    write = code.builder
    places = [products + row * _PRODUCT_ROW for row in range(LENGTH_MULTIPLE)] + [nearest]
    rows: list[Any] = [write.load(code.pointer(place, _ROW), align=ROW_BYTES) for place in places]
    while len(rows) > 1:
        one, other, *rows = rows
        rows.append(write.select(write.fcmp_ordered(">", one, other), one, other))
    write.store(rows[0], code.pointer(nearest, _ROW), align=ROW_BYTES)


def _add_up(code: Code, nearest: Whole, score: Whole) -> None:
    row = code.builder.load(code.pointer(nearest, _ROW), align=ROW_BYTES)
    total = code.call("llvm.vector.reduce.fadd.v32f32", _FLOAT, [ir.Constant(_FLOAT, 0.0), row])
    code.builder.store(total, code.pointer(score, _FLOAT))
