"""The tensors of weight files, read block by block: no file is mapped and no tensor is held whole.

A mapped file would count as memory of the process as far as it was touched; what is read in blocks does not.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

import numpy as np

from secondpass.errors import InputError
from secondpass.merge.floats import FLOATS, INTEGERS, RawArray, item_bytes, widened
from secondpass.models.weight_files import read_header
from secondpass.types import FloatArray

BLOCK = 1 << 20
"""Numbers read at once of each model."""


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """A tensor of a file: its name there, its type as safetensors calls it, its shape, and where its bytes begin."""

    path: Path
    name: str
    kind: str
    shape: tuple[int, ...]
    start: int

    @property
    def size(self) -> int:
        """How many numbers there are."""
        return math.prod(self.shape)

    @property
    def is_float(self) -> bool:
        """Whether it is computed with."""
        return self.kind in FLOATS

    @property
    def bytes(self) -> int:
        """What it takes in its file."""
        return self.size * item_bytes(self.kind)


def read_tensors(path: Path) -> dict[str, StoredTensor]:
    """Return the tensors of a safetensors file by name.

    Raises:
        InputError: the file is broken, or holds numbers of a type that is not known.
    """
    places = read_header(path)
    with path.open("rb") as file:
        entries = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    tensors = {}
    for name, place in places.items():
        kind = str(entries[name].get("dtype"))
        if kind not in FLOATS and kind not in INTEGERS:
            raise InputError(
                f"{path} holds numbers of the type {kind} ({name}); accepted are {', '.join(FLOATS)} and integers. "
                "Merge the weights as they were before they were quantized."
            )
        tensor = StoredTensor(path, name, kind, place.shape, place.start)
        if tensor.size < 0 or tensor.bytes != place.end - place.start:
            raise InputError(
                f"{path} cannot be read: {name} is {kind} {list(place.shape)} and has {place.end - place.start:,} "
                "bytes; fetch the model again."
            )
        tensors[name] = tensor
    return tensors


@dataclass(frozen=True, slots=True, eq=False)
class AlignedTensor:
    """One tensor as each parent has it, and as the base has it where there is one."""

    key: str
    parents: tuple[StoredTensor, ...]
    base: StoredTensor | None = None

    @property
    def size(self) -> int:
        """How many numbers there are."""
        return self.parents[0].size

    def blocks(self) -> Iterator[tuple[list[FloatArray], FloatArray]]:
        """Yield the parents' blocks and the base's (empty where there is none), each float32 [up to BLOCK].

        They may be written to, and hold until the next ones are asked for.
        """
        stored = [*self.parents, *([self.base] if self.base else [])]
        with _opened(stored) as files:
            raws = [np.empty(min(BLOCK, self.size), FLOATS[one.kind]) for one in stored]
            for first in range(0, self.size, BLOCK):
                count = min(BLOCK, self.size - first)
                values = [
                    widened(_filled(file, raw[:count], one), one.kind)
                    for file, raw, one in zip(files, raws, stored, strict=True)
                ]
                yield values[: len(self.parents)], values[-1] if self.base else np.empty(0, np.float32)


def raw_blocks(stored: StoredTensor) -> Iterator[RawArray]:
    """Yield the bits of a tensor block by block, as they lie in the file."""
    with _opened([stored]) as files:
        for first in range(0, stored.size, BLOCK):
            raw = np.empty(min(BLOCK, stored.size - first), (FLOATS | INTEGERS)[stored.kind])
            yield _filled(files[0], raw, stored)


def read_part(stored: StoredTensor, first: int, count: int) -> FloatArray:
    """Return the numbers ``[first, first + count)`` of a tensor as float32."""
    with stored.path.open("rb", buffering=0) as file:
        file.seek(stored.start + first * item_bytes(stored.kind))
        return widened(_filled(file, np.empty(count, FLOATS[stored.kind]), stored), stored.kind)


def same_bits(tensors: Sequence[StoredTensor]) -> bool:
    """Say whether tensors of one shape and type are equal, bit by bit."""
    first, *others = tensors
    return all(
        other.kind == first.kind
        and all(np.array_equal(a, b) for a, b in zip(raw_blocks(first), raw_blocks(other), strict=True))
        for other in others
    )


@contextmanager
def _opened(tensors: Sequence[StoredTensor]) -> Iterator[list[FileIO]]:
    """Open the file of each tensor, where its bytes begin."""
    with ExitStack() as stack:
        files: list[FileIO] = []
        for stored in tensors:
            file = stack.enter_context(stored.path.open("rb", buffering=0))
            file.seek(stored.start)
            files.append(file)
        yield files


def _filled(file: FileIO, raw: RawArray, stored: StoredTensor) -> RawArray:
    view = raw.data.cast("B")
    done = 0
    while done < len(view):
        read = file.readinto(view[done:])
        if not read:
            raise InputError(f"{stored.path} became shorter while it was read ({stored.name}); merge again.")
        done += read
    return raw
