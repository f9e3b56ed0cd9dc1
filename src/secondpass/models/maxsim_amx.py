"""MaxSim by the matrix instructions of Intel's processors (AMX).

Numbers are multiplied as two of bfloat16 each (`amx_numbers`): scores of unit vectors are within 1e-5 of those in
float32. Passages are read once, as they lie in the pack, and their products stay in the core's cache. Reading them
from memory takes most of the time, so what comes next is fetched while tiles compute.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir

from secondpass.errors import InputError
from secondpass.models.amx_numbers import (
    BLOCK,
    NUMBER_BYTES,
    STEP,
    STEP_BYTES,
    right_tiles,
    write_fetch,
    write_split,
    write_step,
)
from secondpass.models.amx_tiles import FEATURES, ROOM_START, ROW_BYTES, TILE_BYTES, configured, new_room
from secondpass.models.machine_code import Code, Whole, compiled
from secondpass.models.maxsim import LENGTH_MULTIPLE, PackedPassages
from secondpass.models.processor import tiles_refused
from secondpass.types import FloatArray

_PRODUCT_ROW = BLOCK * NUMBER_BYTES  # bytes
_AHEAD = 32768  # bytes between what is computed and what is fetched
_LINES_BY_A_PRODUCT = 3  # fetched lines of 64 bytes; while rows are split, each fetches one

# Where in the room that a scorer computes in, in bytes:
_VECTORS = ROOM_START
_PRODUCTS = _VECTORS + STEP_BYTES
_NEAREST = _PRODUCTS + 4 * TILE_BYTES
_PASSAGE = _NEAREST + _PRODUCT_ROW  # the number of the one that is read
_END = _PASSAGE + 8

_INT, _FLOAT = ir.IntType(32), ir.FloatType()
_ROW = ir.VectorType(_FLOAT, BLOCK)


class AmxMaxSim:
    """MaxSim that computes on one thread, whoever calls.

    Raises:
        InputError: see `tiles_refused`.
    """

    name = "amx"

    def __init__(self) -> None:
        if refused := tiles_refused():
            raise InputError(f"MaxSim by amx: {refused}.")
        self._score_block = compiled(_write_scores, arguments=7, features=FEATURES)

    def score(self, query: FloatArray, passages: PackedPassages) -> FloatArray:
        """Return the MaxSim of ``query`` (float32 [Q, D]) with every passage, float32 [N]."""
        # Vectors of zeros fill up the last block: their nearest products are 0 and change no sum.
        whole = np.pad(passages.same_width(query), ((0, -len(query) % BLOCK), (0, 0)))
        room = new_room(_END)
        rows, steps = len(passages.vectors), passages.vectors.shape[1] // STEP
        tiles = right_tiles(whole)
        of_block = np.empty((len(whole) // BLOCK, passages.count), np.float32)  # in the order of the pack
        vectors, ends, place = (one.ctypes.data for one in (passages.vectors, passages.ends, room))
        for block, target in enumerate(of_block):
            query_place = tiles.ctypes.data + block * steps * STEP_BYTES
            self._score_block(vectors, query_place, ends, target.ctypes.data, place, rows, steps)
        scores = np.empty(passages.count, np.float32)
        scores[passages.order] = of_block.sum(axis=0)
        return scores


def _write_scores(code: Code) -> None:
    """Write the code that computes the MaxSim of passages with 32 query vectors.

    Its arguments: the ``vectors`` of passages, float32 [rows, 32 x steps]; the ``query``, see `right_tiles`; ``ends``,
    int64 [N], where each passage ends, at multiples of 8; where the ``scores`` go, float32 [N]; ``room``; ``rows``;
    ``steps``.
    """
    vectors, query, ends, scores, room, rows, steps = code.arguments
    row_bytes = steps * STEP * NUMBER_BYTES
    _forget_nearest(code, room + _NEAREST)
    code.write_whole(room + _PASSAGE, 0)
    with configured(code, room) as tiles, code.loop((rows + BLOCK - 1) // BLOCK) as block:
        place = vectors + block * BLOCK * row_bytes
        here = (rows - block * BLOCK).at_most(BLOCK)
        for tile in range(4):
            tiles.clear(tile)
        with code.loop(steps) as step:
            ahead = place + step * BLOCK * STEP * NUMBER_BYTES + _AHEAD
            with code.loop(here) as row:
                split = room + _VECTORS + row * ROW_BYTES
                write_split(code, place + row * row_bytes + step * STEP * NUMBER_BYTES, split, split + 2 * TILE_BYTES)
                write_fetch(code, ahead + row * ROW_BYTES)

            def fetch(product: int, ahead: Whole = ahead + BLOCK * ROW_BYTES) -> None:
                for line in range(_LINES_BY_A_PRODUCT):
                    write_fetch(code, ahead + (product * _LINES_BY_A_PRODUCT + line) * ROW_BYTES)

            write_step(tiles, room + _VECTORS, query + step * STEP_BYTES, fetch)
        for tile in range(4):
            corner = tile // 2 * 16 * _PRODUCT_ROW + tile % 2 * ROW_BYTES
            tiles.store(tile, room + _PRODUCTS + corner, _PRODUCT_ROW)
        with code.loop(here // LENGTH_MULTIPLE) as part:
            _keep_nearest(code, room + _PRODUCTS + part * LENGTH_MULTIPLE * _PRODUCT_ROW, room + _NEAREST)
            passage = code.read_whole(room + _PASSAGE)
            done = block * BLOCK + part * LENGTH_MULTIPLE + LENGTH_MULTIPLE
            with code.when(done.equals(code.read_whole(ends + passage * 8))):
                _add_up(code, room + _NEAREST, scores + passage * NUMBER_BYTES)
                _forget_nearest(code, room + _NEAREST)
                code.write_whole(room + _PASSAGE, passage + 1)


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
