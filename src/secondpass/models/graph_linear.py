"""How the linear layers of a graph are written: as float32, observed for calibration, or as int8.

int8 is the standard ONNX form (QuantizeLinear and DequantizeLinear around a product), which ONNX Runtime and OpenVINO
both turn into integer arithmetic: weights with one scale per output, inputs with one scale and a zero point per layer.
Encoders have a few channels of which the numbers are ten times those of the others; they are made smaller first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from onnx import ValueInfoProto

from secondpass.models.graph import GraphWriter, float_value
from secondpass.types import FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Int8Input:
    """How a layer's input is rounded to eight bits.

    Each channel is divided by its number of ``divisors`` (float32 [in], 1 and larger), and the layer's weights are
    multiplied by it, which changes nothing but how much rounding costs (SmoothQuant, arXiv:2211.10438). ``low`` and
    ``high``: the smallest and the largest number seen after that.
    """

    low: float
    high: float
    divisors: FloatArray


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
    """Plain float32, with what is seen of each layer's input among the graph's outputs.

    ``LAYER:low``, ``LAYER:high`` and ``LAYER:square`` are float32 [in]: of every channel the smallest and the largest
    number and the mean of the squares. ``sizes`` tells how many weights each layer has.
    """

    sizes: dict[str, int] = field(default_factory=dict)
    _outputs: list[ValueInfoProto] = field(default_factory=list)

    def write(self, graph: GraphWriter, x: str, layer: str, weight: FloatArray, bias: FloatArray) -> str:
        """Add the layer and its outputs."""
        self.sizes[layer] = weight.size
        tokens = graph.integers(0, 1)
        seen = {"low": ("ReduceMin", x), "high": ("ReduceMax", x), "square": ("ReduceMean", graph.node("Mul", x, x))}
        for name, (kind, of) in seen.items():
            graph.node(kind, of, tokens, output=f"{layer}:{name}", keepdims=0)
            self._outputs.append(float_value(f"{layer}:{name}", weight.shape[1]))
        return FloatLinear().write(graph, x, layer, weight, bias)


def observations(writer: LinearWriter) -> list[ValueInfoProto]:
    """Describe the outputs that ``writer`` added to the graph it wrote in."""
    return list(writer._outputs) if isinstance(writer, ObservedLinear) else []


@dataclass(slots=True)
class Int8Linear:
    """Eight bits for inputs and weights; ``inputs`` were calibrated on real text, a layer without any stays float32.

    ``largest`` is the largest number a weight is rounded to. Where two products of 8 bits are added up in 16, as on
    processors with AVX2 alone, 255 x 127 x 2 would be cut off, and 255 x 63 x 2 is not.
    """

    inputs: Mapping[str, Int8Input]
    largest: int = 127
    _rounded: dict[str, str] = field(default_factory=dict)

    def write(self, graph: GraphWriter, x: str, layer: str, weight: FloatArray, bias: FloatArray) -> str:
        """Add the layer with its input and weights rounded to eight bits."""
        given = self.inputs.get(layer)
        if given is None:
            return FloatLinear().write(graph, x, layer, weight, bias)
        weight = weight * given.divisors
        scales = np.maximum(np.abs(weight).max(axis=1) / self.largest, np.float32(1e-12)).astype(np.float32)
        rounded = np.clip(np.rint(weight / scales[:, None]), -self.largest, self.largest).astype(np.int8)
        product = graph.node("MatMul", self._input(graph, x, given), self._weight(graph, rounded, scales))
        return graph.node("Add", product, graph.constant(bias))

    def _input(self, graph: GraphWriter, x: str, given: Int8Input) -> str:
        if x not in self._rounded:  # query, key and value read the same input
            low, high = min(given.low, 0.0), max(given.high, 0.0)
            scale = np.float32(max(high - low, 1e-12) / 255)
            grid = graph.constant(np.array(scale)), graph.constant(np.array(round(-low / float(scale)), dtype=np.uint8))
            divided = graph.node("Mul", x, graph.constant((1 / given.divisors).astype(np.float32)))
            self._rounded[x] = graph.node("DequantizeLinear", graph.node("QuantizeLinear", divided, *grid), *grid)
        return self._rounded[x]

    def _weight(
        self, graph: GraphWriter, rounded: np.ndarray[tuple[int, ...], np.dtype[np.int8]], scales: FloatArray
    ) -> str:
        zeros = graph.constant(np.zeros(len(scales), np.int8))
        return graph.node("DequantizeLinear", graph.constant(rounded.T), graph.constant(scales), zeros, axis=1)
