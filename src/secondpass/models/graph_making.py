"""Writes the graph of any architecture that is ours; imported only where one is written, because `onnx` is slow to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias

from secondpass.models.engine import Head
from secondpass.models.graph_encoder import EncoderGraph
from secondpass.models.graph_kinds import AnyShape
from secondpass.models.graph_linear import Int8Input, Int8Linear, LinearWriter
from secondpass.models.graph_rotary import RotaryGraph
from secondpass.models.processor import largest_weight
from secondpass.models.rotary_shape import RotaryShape
from secondpass.models.weights import Weights
from secondpass.types import FloatArray

AnyGraph: TypeAlias = EncoderGraph | RotaryGraph
Calibrate: TypeAlias = Callable[[Weights], Mapping[str, Int8Input]]


def graph_writer(
    weights: Weights,
    shape: AnyShape,
    head: Head,
    projection: FloatArray | None = None,
    linear: LinearWriter | None = None,
) -> AnyGraph:
    """Return what writes the graph; parameters as of `EncoderGraph`."""
    if isinstance(shape, RotaryShape):
        return RotaryGraph(weights, shape, head, projection, linear)
    return EncoderGraph(weights, shape, head, projection, linear)


def write_graph(
    folder: Path,
    target: Path,
    shape: AnyShape,
    head: Head,
    projection: FloatArray | None,
    calibrate: Calibrate | None,
) -> None:
    """Write the graph of the model in ``folder`` into ``target``; in int8 with the ranges that ``calibrate`` finds."""
    weights = Weights(folder)  # mapped by itself, so that what was read to be written is let go again
    linear = Int8Linear(calibrate(weights), largest_weight()) if calibrate else None
    graph_writer(weights, shape, head, projection, linear).write(target)
