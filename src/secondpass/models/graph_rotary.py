"""The inference graph of ModernBERT, GTE and jina's XLM-R, written from config.json and safetensors alone.

As in `graph_encoder`, the factor of the scores is multiplied into the query's weights, and a classifier that reads the
first token computes its last layer for that one alone. Its position is 0, where the rotation turns nothing; keys are
needed of all tokens, since each is turned by its own position, values only of the weighted sum.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from onnx import ValueInfoProto

from secondpass.models.engine import Head
from secondpass.models.graph import GraphWriter, float_value
from secondpass.models.graph_linear import FloatLinear, LinearWriter, observations
from secondpass.models.graph_parts import activated, span_output, token_output
from secondpass.models.graph_shape import LOGITS, MASK, SHUT, VECTORS
from secondpass.models.rotary_shape import RotaryShape, Rotation
from secondpass.models.span_head import read_span_head
from secondpass.models.weights import Weights
from secondpass.types import FloatArray

_FLOAT = 1  # ONNX's number of the type
_NO_BIAS = np.zeros(1, np.float32)
_QUERY, _KEY, _VALUE = range(3)


class RotaryGraph:
    """Writes the graph of one model folder; parameters and graph as of `EncoderGraph`."""

    def __init__(
        self,
        weights: Weights,
        shape: RotaryShape,
        head: Head,
        projection: FloatArray | None = None,
        linear: LinearWriter | None = None,
    ) -> None:
        self._weights = weights
        self._shape = shape
        self._head = head
        self._projection = projection
        self._linear_writer = linear or FloatLinear()
        self._prefix = weights.prefix_of(shape.names.words)
        self._length = ""
        self._tables: dict[Rotation, tuple[str, str]] = {}

    def write(self, folder: Path) -> None:
        """Write the graph into ``folder``."""
        inputs = [float_value(VECTORS, "batch", "length", self._shape.hidden), float_value(MASK, "batch", "length")]
        with GraphWriter(folder) as graph:
            outputs = [*self.body(graph, VECTORS, MASK), *observations(self._linear_writer)]
            graph.save(inputs, outputs, {"secondpass": "encoder"})

    def body(self, graph: GraphWriter, vectors: str, mask: str) -> list[ValueInfoProto]:
        """Write everything behind the sum of the embeddings, and return the outputs' descriptions."""
        shape, names = self._shape, self._shape.names
        self._length = graph.node("Gather", graph.node("Shape", vectors), graph.integers(1), axis=0)
        self._tables = {rotation: self._table(graph, rotation) for rotation in dict.fromkeys(shape.rotations)}
        masks = self._masks(graph, mask)
        x = self._norm(graph, vectors, names.embeddings_norm)
        only_first = self._head != "tokens" and shape.pooling == "cls"
        outputs: list[ValueInfoProto] = []
        for index in range(shape.layers):
            is_last = index == shape.layers - 1
            if is_last and self._head == "classify_spans":
                outputs.append(span_output(graph, x, read_span_head(self._weights.folder, shape.hidden)))
            x = self._layer(graph, x, masks[shape.windows[index]], index, only_first and is_last)
        if names.final_norm:
            x = self._norm(graph, x, names.final_norm)
        if self._head == "tokens":
            return [token_output(graph, x, shape.hidden, self._projection)]
        pooled = graph.node("Squeeze", x if only_first else self._mean(graph, x, mask), graph.integers(1))
        return [self._classify(graph, pooled), *outputs]

    def _layer(self, graph: GraphWriter, x: str, mask: str, index: int, only_first: bool) -> str:
        """Add one layer, [B, L, D] -> [B, L, D], or [B, 1, D] where only the first token is read."""
        shape, names = self._shape, self._shape.names
        layer = f"{names.layers}.{index}."
        linear = FloatLinear() if only_first else self._linear_writer
        normed = x
        if shape.norm_first and index:  # ModernBERT's embeddings are normalised already
            normed = self._norm(graph, x, layer + names.attention_norm)
        if only_first:
            mixed = self._first_attention(graph, normed, mask, index)
            x = _first(graph, x, 1)
        else:
            mixed = self._attention(graph, normed, mask, index)
        x = graph.node("Add", x, self._linear(graph, mixed, layer + names.attention_output, linear))
        if not shape.norm_first:
            x = self._norm(graph, x, layer + names.attention_norm)
            narrow = self._feed_forward(graph, x, layer, linear)
            return self._norm(graph, graph.node("Add", x, narrow), layer + names.output_norm)
        narrow = self._feed_forward(graph, self._norm(graph, x, layer + names.output_norm), layer, linear)
        return graph.node("Add", x, narrow)

    def _attention(self, graph: GraphWriter, x: str, mask: str, index: int) -> str:
        rotation = self._shape.rotations[index]
        query = self._rotated(graph, self._heads(graph, x, index, _QUERY), rotation)
        key = self._rotated(graph, self._heads(graph, x, index, _KEY), rotation)
        scores = graph.node("MatMul", query, graph.node("Transpose", key, perm=[0, 1, 3, 2]))
        weights = graph.node("Softmax", graph.node("Add", scores, mask), axis=-1)
        mixed = graph.node("MatMul", weights, self._heads(graph, x, index, _VALUE))
        together = graph.node("Transpose", mixed, perm=[0, 2, 1, 3])
        return graph.node("Reshape", together, graph.integers(0, 0, self._shape.hidden))

    def _first_attention(self, graph: GraphWriter, x: str, mask: str, index: int) -> str:
        """Add what the first token gathers, [B, L, D] -> [B, 1, D]; see the module's reasons."""
        shape = self._shape
        query = self._heads(graph, _first(graph, x, 1), index, _QUERY, FloatLinear())
        key = self._rotated(graph, self._heads(graph, x, index, _KEY), shape.rotations[index])
        scores = graph.node("MatMul", query, graph.node("Transpose", key, perm=[0, 1, 3, 2]))  # [B, H, 1, L]
        if shape.windows[index] is not None:
            mask = _first(graph, mask, 2)
        weights = graph.node("Softmax", graph.node("Add", scores, mask), axis=-1)
        seen = graph.node("MatMul", weights, graph.node("Unsqueeze", x, graph.integers(1)))  # [B, H, 1, D]
        weight, bias = self._part(index, _VALUE)
        values = weight.reshape(shape.heads, shape.head_size, shape.hidden).transpose(0, 2, 1)
        mixed = graph.node("MatMul", seen, graph.constant(values))
        mixed = graph.node("Reshape", mixed, graph.integers(0, 1, shape.hidden))
        return graph.node("Add", mixed, graph.constant(bias))

    def _heads(self, graph: GraphWriter, x: str, index: int, part: int, linear: LinearWriter | None = None) -> str:
        """Add the query, key or value of every head, [B, L, D] -> [B, H, L, D / H]."""
        shape = self._shape
        weight, bias = self._part(index, part)
        if part == _QUERY:
            factor = np.float32(1 / math.sqrt(shape.head_size))
            weight, bias = weight * factor, bias * factor
        name = f"{shape.names.layers}.{index}.{shape.names.attention[0]}.{part}"
        vectors = (linear or self._linear_writer).write(graph, x, name, weight, bias)
        split = graph.node("Reshape", vectors, graph.integers(0, 0, shape.heads, shape.head_size))
        return graph.node("Transpose", split, perm=[0, 2, 1, 3])

    def _part(self, index: int, part: int) -> tuple[FloatArray, FloatArray]:
        """Return weight float32 [D, D] and bias of a layer's query, key or value."""
        attention = self._shape.names.attention
        apart = len(attention) > 1
        name = f"{self._shape.names.layers}.{index}.{attention[part if apart else 0]}"
        first = 0 if apart else part * self._shape.hidden
        rows = slice(first, first + self._shape.hidden)
        bias = self._bias(name)
        return self._read(f"{name}.weight")[rows], bias if bias is _NO_BIAS else bias[rows]

    def _rotated(self, graph: GraphWriter, x: str, rotation: Rotation) -> str:
        """Turn each pair of numbers by its position (RoFormer, arXiv:2104.09864; halves, not neighbours, are pairs)."""
        cosines, sines = self._tables[rotation]
        middle, end = self._shape.head_size // 2, self._shape.head_size
        first, second = (
            graph.node("Slice", x, graph.integers(low), graph.integers(high), graph.integers(3))
            for low, high in ((0, middle), (middle, end))
        )
        turned = graph.node("Concat", graph.node("Neg", second), first, axis=-1)
        return graph.node("Add", graph.node("Mul", x, cosines), graph.node("Mul", turned, sines))

    def _table(self, graph: GraphWriter, rotation: Rotation) -> tuple[str, str]:
        """Add the cosines and sines of the positions of this batch, float32 [L, D / H] each."""
        tables = rotation.tables(self._shape.max_tokens, self._shape.head_size)
        cosines, sines = (
            graph.node("Slice", graph.constant(table), graph.integers(0), self._length, graph.integers(0))
            for table in tables
        )
        return cosines, sines

    def _masks(self, graph: GraphWriter, mask: str) -> dict[int | None, str]:
        """Add the biases of the scores: [B, 1, 1, L] where all is seen, [B, 1, L, L] where only a window is."""
        spread = graph.node("Unsqueeze", mask, graph.integers(1, 2))
        masks: dict[int | None, str] = {None: spread}
        for window in {window for window in self._shape.windows if window is not None}:
            length = graph.node("Squeeze", self._length, graph.integers(0))
            zero, one = (graph.constant(np.array(value, np.int64)) for value in (0, 1))
            places = graph.node("Range", zero, length, one)
            rows = graph.node("Unsqueeze", places, graph.integers(1))
            distance = graph.node("Abs", graph.node("Sub", rows, places))
            beyond = graph.node("Greater", distance, graph.constant(np.array(window, np.int64)))
            band = graph.node("Mul", graph.node("Cast", beyond, to=_FLOAT), graph.constant(np.array(SHUT, np.float32)))
            masks[window] = graph.node("Add", spread, band)
        return masks

    def _feed_forward(self, graph: GraphWriter, x: str, layer: str, linear: LinearWriter) -> str:
        """Add the feed-forward part, gated (GLU variants, arXiv:2002.05202) or not."""
        names = self._shape.names
        if names.gate == "none":
            active = activated(graph, self._linear(graph, x, layer + names.widen, linear), self._shape.activation)
            return self._linear(graph, active, layer + names.narrow, linear)
        wide = self._read(f"{layer}{names.widen}.weight")
        bias = self._bias(layer + names.widen)
        halves = []
        for part in range(2):
            rows = slice(part * len(wide) // 2, (part + 1) * len(wide) // 2)
            some = bias if bias is _NO_BIAS else bias[rows]
            halves.append(linear.write(graph, x, f"{layer}{names.widen}.{part}", wide[rows], some))
        active, gate = halves if names.gate == "last" else halves[::-1]
        product = graph.node("Mul", activated(graph, active, self._shape.activation), gate)
        return self._linear(graph, product, layer + names.narrow, linear)

    def _mean(self, graph: GraphWriter, x: str, mask: str) -> str:
        """Add the mean of the tokens that may be looked at, [B, L, D] -> [B, 1, D]."""
        seen = graph.node("Greater", mask, graph.constant(np.array(SHUT / 2, np.float32)))
        counted = graph.node("Unsqueeze", graph.node("Cast", seen, to=_FLOAT), graph.integers(1))  # [B, 1, L]
        total = graph.node("ReduceSum", counted, graph.integers(2), keepdims=1)
        return graph.node("Div", graph.node("MatMul", counted, x), total)

    def _classify(self, graph: GraphWriter, x: str) -> ValueInfoProto:
        names = self._shape.names
        dense = (self._prefix if names.pooled else "") + names.dense
        x = activated(graph, self._plain(graph, x, dense), self._shape.head_activation)
        if names.dense_norm:
            x = self._norm(graph, x, names.dense_norm, prefix="")
        graph.node("Identity", self._plain(graph, x, names.output), output=LOGITS)
        return float_value(LOGITS, "batch", self._weights.weight(f"{names.output}.weight").raw.shape[0])

    def _plain(self, graph: GraphWriter, x: str, name: str) -> str:
        return FloatLinear().write(graph, x, name, self._weights.read(f"{name}.weight"), self._bias(name, prefix=""))

    def _linear(self, graph: GraphWriter, x: str, name: str, writer: LinearWriter) -> str:
        return writer.write(graph, x, name, self._read(f"{name}.weight"), self._bias(name))

    def _norm(self, graph: GraphWriter, x: str, name: str, prefix: str | None = None) -> str:
        place = (self._prefix if prefix is None else prefix) + name
        parts = [f"{place}.{part}" for part in ("weight", "bias")]
        constants = [
            graph.constant(self._weights.read(part)) for part in parts if part in self._weights or part == parts[0]
        ]
        return graph.node("LayerNormalization", x, *constants, axis=-1, epsilon=self._shape.epsilon)

    def _bias(self, name: str, prefix: str | None = None) -> FloatArray:
        place = f"{self._prefix if prefix is None else prefix}{name}.bias"
        return self._weights.read(place) if place in self._weights else _NO_BIAS

    def _read(self, name: str) -> FloatArray:
        return self._weights.read(self._prefix + name)


def _first(graph: GraphWriter, x: str, axis: int) -> str:
    return graph.node("Slice", x, graph.integers(0), graph.integers(1), graph.integers(axis))
