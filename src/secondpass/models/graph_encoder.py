"""The inference graph of a BERT-like encoder, written from config.json and safetensors alone.

Three things differ from the model's own code and change nothing but the time: the factor of the scores is multiplied
into the query's weights; heads that are pruned, of which the layer's output takes nothing, are left out; and a
classifier's last layer is computed for the first token only, the one that is read. There the query is brought into the
space of the tokens, ``q . (K x_t) = (K^T q) . x_t``, and the values are taken of the weighted sum,
``sum_t p_t V x_t = V (sum_t p_t x_t)``, so that neither keys nor values are computed for all tokens.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from onnx import ValueInfoProto

from secondpass.models.engine import Head
from secondpass.models.graph import GraphWriter, float_value
from secondpass.models.graph_linear import FloatLinear, LinearWriter, observations
from secondpass.models.graph_parts import activated, span_output, token_output
from secondpass.models.graph_shape import LOGITS, MASK, VECTORS, GraphShape
from secondpass.models.span_head import read_span_head
from secondpass.models.weights import Weights
from secondpass.types import FloatArray

Rows: TypeAlias = npt.NDArray[np.int64]
_LINEAR = ("weight", "bias")


class EncoderGraph:
    """Writes the graph of one model folder.

    ``linear`` says how the large linear layers are computed. ``projection`` (float32 [D, H], head ``tokens`` only) is
    applied to every token vector, which is then brought to length 1.
    """

    def __init__(
        self,
        weights: Weights,
        shape: GraphShape,
        head: Head,
        projection: FloatArray | None = None,
        linear: LinearWriter | None = None,
    ) -> None:
        self._weights = weights
        self._shape = shape
        self._head = head
        self._projection = projection
        self._linear_writer = linear or FloatLinear()
        self._prefix = weights.prefix_of("embeddings.word_embeddings.weight")

    def write(self, folder: Path) -> None:
        """Write the graph into ``folder``.

        Its inputs are ``vectors`` (float32 [B, L, E], the sums of each token's embeddings) and ``attention_bias``
        (float32 [B, L]); its output is ``logits`` (float32 [B, C]) or ``token_vectors`` (float32 [B, L, D]). The head
        ``classify_spans`` has ``span_logits`` (float32 [B, L, 2]) beside ``logits``.
        """
        embedded = self._weights.weight(f"{self._prefix}embeddings.word_embeddings.weight").raw.shape[1]
        inputs = [float_value(VECTORS, "batch", "length", embedded), float_value(MASK, "batch", "length")]
        with GraphWriter(folder) as graph:
            outputs = [*self.body(graph, VECTORS, MASK), *observations(self._linear_writer)]
            graph.save(inputs, outputs, {"secondpass": "encoder"})

    def body(self, graph: GraphWriter, vectors: str, mask: str) -> list[ValueInfoProto]:
        """Write everything behind the sum of the embeddings, and return the outputs' descriptions."""
        shape = self._shape
        x = self._norm(graph, vectors, "embeddings.LayerNorm")
        if shape.projects_embeddings:
            x = self._linear(graph, x, "embeddings_project", FloatLinear())
        spread = graph.node("Unsqueeze", mask, graph.integers(1, 2))  # [B, 1, 1, L]
        names = [f"{shape.layer_names.layers}.{index}." for index in range(shape.layers)]
        for name in names[:-1]:
            x = self._layer(graph, x, spread, name)
        if self._head == "tokens":
            return [token_output(graph, self._layer(graph, x, spread, names[-1]), shape.hidden, self._projection)]
        outputs = [self._classify(graph, self._first_token_layer(graph, x, mask, names[-1]))]
        if self._head == "classify_spans":
            outputs.append(span_output(graph, x, read_span_head(self._weights.folder, shape.hidden)))
        return outputs

    def _layer(self, graph: GraphWriter, x: str, mask: str, layer: str) -> str:
        """Add one layer for all tokens, [B, L, D] -> [B, L, D]."""
        shape, names = self._shape, self._shape.layer_names
        kept = self._kept(layer)
        split = graph.integers(0, 0, len(kept) // shape.head_size, shape.head_size)

        def heads(part: str, factor: float = 1.0) -> str:
            weight, bias = (self._read(f"{layer}{part}.{kind}")[kept] * np.float32(factor) for kind in _LINEAR)
            vectors = self._linear_writer.write(graph, x, layer + part, weight, bias)
            return graph.node("Transpose", graph.node("Reshape", vectors, split), perm=[0, 2, 1, 3])

        query = heads(names.query, 1 / math.sqrt(shape.head_size))
        # Turned twice: OpenVINO takes the second turn into its attention, and a single one to [B, H, D, L] it does not.
        key = graph.node("Transpose", heads(names.key), perm=[0, 1, 3, 2])
        value = heads(names.value)
        scores = graph.node("Add", graph.node("MatMul", query, key), mask)
        mixed = graph.node("MatMul", graph.node("Softmax", scores, axis=-1), value)
        together = graph.node("Transpose", mixed, perm=[0, 2, 1, 3])
        flat = graph.node("Reshape", together, graph.integers(0, 0, len(kept)))
        return self._rest_of_layer(graph, x, flat, layer, self._linear_writer, kept)

    def _kept(self, layer: str) -> Rows:
        """Return which rows of a layer's query, key and value belong to heads that its output takes anything of."""
        shape = self._shape
        output = self._read(f"{layer}{shape.layer_names.attention_output}.weight")
        largest = np.abs(output.reshape(shape.hidden, shape.heads, shape.head_size)).max(axis=(0, 2))  # (heads,)
        used = largest != 0 if largest.any() else np.arange(shape.heads) == 0
        return np.flatnonzero(np.repeat(used, shape.head_size))

    def _first_token_layer(self, graph: GraphWriter, x: str, mask: str, layer: str) -> str:
        """Add one layer for the first token alone, [B, L, D] -> [B, 1, D]; see the module's formulas."""
        shape, names = self._shape, self._shape.layer_names
        heads, size, hidden = shape.heads, shape.head_size, shape.hidden
        first = graph.node("Slice", x, graph.integers(0), graph.integers(1), graph.integers(1))
        query = self._linear(graph, first, layer + names.query, FloatLinear(), 1 / math.sqrt(size))
        query = graph.node("Reshape", query, graph.integers(0, heads, 1, size))
        keys = self._read(f"{layer}{names.key}.weight").reshape(heads, size, hidden)
        # The key's bias adds the same number to every token's score: the softmax does not see it.
        sought = graph.node(
            "Squeeze", graph.node("MatMul", query, graph.constant(keys)), graph.integers(2)
        )  # [B, H, D]
        scores = graph.node("MatMul", sought, graph.node("Transpose", x, perm=[0, 2, 1]))  # [B, H, L]
        scores = graph.node("Add", scores, graph.node("Unsqueeze", mask, graph.integers(1)))
        seen = graph.node("MatMul", graph.node("Softmax", scores, axis=-1), x)  # [B, H, D]
        values = self._read(f"{layer}{names.value}.weight").reshape(heads, size, hidden).transpose(0, 2, 1)
        mixed = graph.node("MatMul", graph.node("Unsqueeze", seen, graph.integers(2)), graph.constant(values))
        mixed = graph.node("Reshape", mixed, graph.integers(0, 1, hidden))
        mixed = graph.node("Add", mixed, graph.constant(self._read(f"{layer}{names.value}.bias")))
        return self._rest_of_layer(graph, first, mixed, layer, FloatLinear())

    def _rest_of_layer(
        self, graph: GraphWriter, x: str, mixed: str, layer: str, linear: LinearWriter, kept: Rows | None = None
    ) -> str:
        names = self._shape.layer_names
        weight, bias = (self._read(f"{layer}{names.attention_output}.{kind}") for kind in _LINEAR)
        weight = weight if kept is None else weight[:, kept]
        mixed = linear.write(graph, mixed, layer + names.attention_output, weight, bias)
        x = self._norm(graph, graph.node("Add", mixed, x), layer + names.attention_norm)
        wide = self._linear(graph, x, layer + names.widen, linear)
        narrow = self._linear(graph, activated(graph, wide, self._shape.activation), layer + names.narrow, linear)
        return self._norm(graph, graph.node("Add", narrow, x), layer + names.output_norm)

    def _classify(self, graph: GraphWriter, first: str) -> ValueInfoProto:
        head = self._shape.head
        x = graph.node("Squeeze", first, graph.integers(1))  # [B, D]
        dense = (self._prefix if head.pooled else "") + head.dense
        x = activated(graph, self._plain(graph, x, dense), head.activation)
        logits = self._plain(graph, x, head.output)
        graph.node("Identity", logits, output=LOGITS)
        return float_value(LOGITS, "batch", len(self._weights.weight(f"{head.output}.bias").raw))

    def _linear(self, graph: GraphWriter, x: str, name: str, writer: LinearWriter, factor: float = 1.0) -> str:
        weight, bias = self._read(f"{name}.weight"), self._read(f"{name}.bias")
        if factor != 1.0:
            weight, bias = weight * np.float32(factor), bias * np.float32(factor)
        return writer.write(graph, x, name, weight, bias)

    def _plain(self, graph: GraphWriter, x: str, name: str) -> str:
        weight, bias = self._weights.read(f"{name}.weight"), self._weights.read(f"{name}.bias")
        return FloatLinear().write(graph, x, name, weight, bias)

    def _norm(self, graph: GraphWriter, x: str, name: str) -> str:
        weight, bias = (graph.constant(self._read(f"{name}.{part}")) for part in ("weight", "bias"))
        return graph.node("LayerNormalization", x, weight, bias, axis=-1, epsilon=self._shape.epsilon)

    def _read(self, name: str) -> FloatArray:
        return self._weights.read(self._prefix + name)
