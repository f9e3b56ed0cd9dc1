"""Export of a model folder to an ONNX file that any runtime can use: token ids in, logits or token vectors out."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from secondpass.models.engine import Head
from secondpass.models.graph import GraphWriter, integer_value
from secondpass.models.graph_kinds import read_graph_shape
from secondpass.models.graph_making import graph_writer
from secondpass.models.graph_shape import SHUT, GraphShape
from secondpass.models.weights import Weights
from secondpass.types import FloatArray

_FLOAT, _INTEGER = 1, 7  # numbers of ONNX's element types


def export_onnx(folder: Path, target: Path, head: Head, projection: FloatArray | None = None) -> None:
    """Write model.onnx and model.weights of the model in ``folder`` into the existing folder ``target``.

    The inputs are those of transformers, int64 [B, L]: ``input_ids``, ``attention_mask``, and ``token_type_ids``
    where the model has two types. The output is ``logits`` (float32 [B, C]) or ``token_vectors`` (float32 [B, L, D]);
    head ``classify_spans`` adds ``span_logits`` (float32 [B, L, 2]).

    Raises:
        InputError: no graph can be written for this architecture, or its weights cannot be read.
    """
    shape, weights = read_graph_shape(folder), Weights(folder)
    prefix = weights.prefix_of(shape.words)
    encoder = graph_writer(weights, shape, head, projection)
    inputs = ["input_ids", "attention_mask"]
    with GraphWriter(target) as graph:
        vectors = graph.node("Gather", graph.constant(weights.read(prefix + shape.words)), "input_ids")
        if isinstance(shape, GraphShape):
            places = graph.constant(weights.read(f"{prefix}embeddings.position_embeddings.weight"))
            vectors = graph.node("Add", vectors, graph.node("Gather", places, _positions(graph, shape)))
        if shape.types:
            types = weights.read(prefix + shape.types)
            if len(types) > 1:
                inputs.append("token_type_ids")
                vectors = graph.node("Add", vectors, graph.node("Gather", graph.constant(types), "token_type_ids"))
            else:
                vectors = graph.node("Add", vectors, graph.constant(types[0]))
        seen = graph.node("Cast", "attention_mask", to=_FLOAT)
        unseen = graph.node("Sub", graph.constant(np.array(1, np.float32)), seen)
        bias = graph.node("Mul", unseen, graph.constant(np.array(SHUT, np.float32)))
        outputs = encoder.body(graph, vectors, bias)
        graph.save([integer_value(name, "batch", "length") for name in inputs], outputs, {"secondpass": head})


def _positions(graph: GraphWriter, shape: GraphShape) -> str:
    """Add the row of each token's position, int64 [B, L] or [1, L]."""
    if shape.counts_pads:
        pad = graph.constant(np.array(shape.pad_id, np.int64))
        real = graph.node("Cast", graph.node("Not", graph.node("Equal", "input_ids", pad)), to=_INTEGER)
        counted = graph.node("CumSum", real, graph.constant(np.array(1, np.int64)))
        return graph.node("Add", graph.node("Mul", counted, real), pad)
    length = graph.node("Gather", graph.node("Shape", "input_ids"), graph.constant(np.array(1, np.int64)))
    zero, one = graph.constant(np.array(0, np.int64)), graph.constant(np.array(1, np.int64))
    return graph.node("Unsqueeze", graph.node("Range", zero, length, one), graph.integers(0))
