"""A graph that an engine can run: what goes into it for a batch, and what is made of what comes out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy.typing as npt

from secondpass.models.engine import Batch
from secondpass.types import FloatArray

Feed: TypeAlias = Mapping[str, npt.NDArray[Any]]
Evaluate: TypeAlias = Callable[[Path, Iterable[Feed]], Iterator[dict[str, FloatArray]]]
"""Runs the float32 graph of a file over feeds, and gives all of its outputs by name."""
_NO_MEMORY = (
    "bad_alloc",
    "out of memory",
    "cannot allocate",
    "can not allocate",
    "failed to allocate",
    "could not allocate",
)


@dataclass(frozen=True, slots=True)
class EngineGraph:
    """A graph in a file.

    ``feed`` turns a batch into the graph's inputs; ``collect`` turns ``outputs`` into what `EncoderEngine.run` returns.
    """

    path: Path
    outputs: tuple[str, ...]
    feed: Callable[[Batch], Feed]
    collect: Callable[[Batch, Sequence[FloatArray]], FloatArray]


def memory_error(error: RuntimeError) -> MemoryError | None:
    """Return the error that an engine meant where memory ran out, None where it meant another."""
    said = str(error)
    return MemoryError(said) if any(sign in said.lower() for sign in _NO_MEMORY) else None
