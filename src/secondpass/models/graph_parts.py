"""Parts that the graphs of all encoders share: activations, and what is said of every token as an output."""

from __future__ import annotations

import numpy as np
from onnx import ValueInfoProto

from secondpass.models.graph import GraphWriter, float_value
from secondpass.models.graph_shape import SPANS, TOKENS, Activation
from secondpass.models.span_head import SpanHead
from secondpass.types import FloatArray

_SHORTEST = 1e-12  # the length below which a vector is not stretched to 1 (torch's normalize)


def activated(graph: GraphWriter, x: str, activation: Activation) -> str:
    """Add an activation and return its output."""
    if activation == "gelu":
        return graph.node("Gelu", x)
    if activation == "gelu_tanh":
        return graph.node("Gelu", x, approximate="tanh")
    return graph.node({"relu": "Relu", "tanh": "Tanh"}[activation], x)


def token_output(graph: GraphWriter, x: str, hidden: int, projection: FloatArray | None) -> ValueInfoProto:
    """Add the output ``token_vectors`` and return its description.

    ``projection`` (float32 [D, H]) is applied to every vector, which is then brought to length 1.
    """
    if projection is None:
        graph.node("Identity", x, output=TOKENS)
        return float_value(TOKENS, "batch", "length", hidden)
    x = graph.node("MatMul", x, graph.constant(np.asarray(projection, np.float32).T))
    length = graph.node("ReduceL2", x, graph.integers(-1), keepdims=1)
    length = graph.node("Max", length, graph.constant(np.array(_SHORTEST, np.float32)))
    graph.node("Div", x, length, output=TOKENS)
    return float_value(TOKENS, "batch", "length", len(projection))


def span_output(graph: GraphWriter, x: str, head: SpanHead) -> ValueInfoProto:
    """Add the output ``span_logits`` over the states ``x`` [B, L, H], and return its description."""
    logits = graph.node("MatMul", x, graph.constant(np.ascontiguousarray(head.weight.T)))
    graph.node("Add", logits, graph.constant(head.bias), output=SPANS)
    return float_value(SPANS, "batch", "length", 2)
