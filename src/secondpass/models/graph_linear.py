"""How the linear layers of a graph are written: as float32, observed for calibration, or as int8.

int8 is the standard ONNX form (QuantizeLinear and DequantizeLinear around a product), which ONNX Runtime and OpenVINO
both turn into integer arithmetic: weights with one scale per output, inputs with one scale and a zero point per layer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from secondpass.models.graph import GraphWriter
from secondpass.types import FloatArray


@dataclass(frozen=True, slots=True)
class Range:
    """The smallest and the largest number seen at a layer's input."""

    low: float
    high: float


class LinearWriter(Protocol):
    """Writes ``x @ weight.T + bias``."""

    def write(self, graph: GraphWriter, x: str, layer: str, weight: FloatArray, bias: FloatArray) -> str:
        """Add the layer to the graph and return its output; weight float32 [out, in], bias float32 [out]."""
        ...


class FloatLinear:
    """Plain float32."""

    def write(self, graph: GraphWriter, x: str, layer: str, weight: FloatArray, bias: FloatArray) -> str:
        """Add a product and a sum."""
        del layer
        return graph.node("Add", graph.node("MatMul", x, graph.constant(weight.T)), graph.constant(bias))


@dataclass(slots=True)
class ObservedLinear:
    """Plain float32, with the range of each layer's input among the graph's outputs."""

    outputs: list[str] = field(default_factory=list)

    def write(self, graph: GraphWriter, x: str, layer: str, weight: FloatArray, bias: FloatArray) -> str:
        """Add the layer, and outputs ``low:LAYER`` and ``high:LAYER``."""
        for kind, name in (("ReduceMin", f"low:{layer}"), ("ReduceMax", f"high:{layer}")):
            self.outputs.append(graph.node(kind, x, output=name, keepdims=0))
        return FloatLinear().write(graph, x, layer, weight, bias)


@dataclass(slots=True)
class Int8Linear:
    """Eight bits for inputs and weights; ``ranges`` were observed on real text."""

    ranges: Mapping[str, Range]
    _inputs: dict[str, str] = field(default_factory=dict)

    def write(self, graph: GraphWriter, x: str, layer: str, weight: FloatArray, bias: FloatArray) -> str:
        """Add the layer with its input and weights rounded to eight bits."""
        scales = np.maximum(np.abs(weight).max(axis=1) / 127, np.float32(1e-12)).astype(np.float32)
        rounded = np.clip(np.rint(weight / scales[:, None]), -127, 127).astype(np.int8)
        product = graph.node("MatMul", self._input(graph, x, layer), self._weight(graph, rounded, scales))
        return graph.node("Add", product, graph.constant(bias))

    def _input(self, graph: GraphWriter, x: str, layer: str) -> str:
        if x not in self._inputs:  # query, key and value read the same input
            seen = self.ranges[layer]
            low, high = min(seen.low, 0.0), max(seen.high, 0.0)
            scale = np.float32(max(high - low, 1e-12) / 255)
            grid = graph.constant(np.array(scale)), graph.constant(np.array(round(-low / float(scale)), dtype=np.uint8))
            self._inputs[x] = graph.node("DequantizeLinear", graph.node("QuantizeLinear", x, *grid), *grid)
        return self._inputs[x]

    def _weight(
        self, graph: GraphWriter, rounded: np.ndarray[tuple[int, ...], np.dtype[np.int8]], scales: FloatArray
    ) -> str:
        zeros = graph.constant(np.zeros(len(scales), np.int8))
        return graph.node("DequantizeLinear", graph.constant(rounded.T), graph.constant(scales), zeros, axis=1)
