"""What an engine is: a batch of token sequences in, numbers out; whichever library does the arithmetic."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias, runtime_checkable

import numpy as np
import numpy.typing as npt

from secondpass.types import FloatArray

TokenIds: TypeAlias = npt.NDArray[np.int64]
EngineName = Literal["auto", "openvino", "onnx", "numpy", "torch"]
Precision = Literal["f32", "bf16", "int8"]
Head = Literal["classify", "classify_spans", "tokens"]
"""``classify``: logits of a sequence classifier. ``tokens``: one vector per token (late interaction).

``classify_spans``: logits of a classifier, and of each token as the first and as the last of the evidence.
"""


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """Which engine computes, how exactly, and on what.

    ``name`` auto takes the fastest installed one of this ``precision``, measured once and remembered. ``threads`` None
    uses every core. ``device`` other than cpu (``cuda``, ``cuda:1``) needs torch.
    """

    name: EngineName = "auto"
    precision: Precision = "f32"
    threads: int | None = None
    device: str = "cpu"


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """The sequences of one forward pass, without padding.

    ``ids[i]``: int64 [L_i]. ``second_starts[i]``: where the second segment (token type 1) begins, L_i where there is
    none. ``width``: what an engine that pads pads to; at least the longest L_i. ``attended[i]``: how many leading
    tokens may be looked at by the others (ColBERT's query masks are computed but not looked at); None = all of them.
    """

    ids: tuple[TokenIds, ...]
    second_starts: tuple[int, ...]
    width: int
    attended: tuple[int, ...] | None = None


class EncoderEngine(Protocol):
    """Runs batches through one encoder; safe to share between threads.

    Raises ``MemoryError`` where a batch does not fit into memory, so that the caller can try a smaller one.
    """

    @property
    def name(self) -> str:
        """The engine's name."""
        ...

    @property
    def precision(self) -> Precision:
        """What the large matrix products are computed in."""
        ...

    def run(self, batch: Batch) -> FloatArray:
        """Return float32 [B, C] logits (head ``classify``), or float32 [sum of L_i, D] vectors (head ``tokens``).

        Head ``classify_spans``: float32 [sum of L_i, C + 2], for each token the logits of its sequence and its own two.
        """
        ...


Pending: TypeAlias = Callable[[], FloatArray]
"""Waits for a batch that was started, and returns what `EncoderEngine.run` says."""


@runtime_checkable
class StartingEngine(Protocol):
    """An engine beside which the processor goes on: a GPU computes one batch while the next texts are cut to tokens."""

    def start(self, batch: Batch) -> Pending:
        """Start a batch and return at once; memory that does not suffice shows here."""
        ...
