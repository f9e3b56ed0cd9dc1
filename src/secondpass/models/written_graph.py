"""The graph we write ourselves of a model folder: made once, kept in the cache folder."""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from secondpass.models.engine import Batch, Head, Precision
from secondpass.models.engine_cache import make_room
from secondpass.models.engine_files import made_once
from secondpass.models.graph_kinds import read_graph_shape
from secondpass.models.graph_shape import GRAPH_FILE, LOGITS, SPANS, TOKENS
from secondpass.models.padding import Embeddings, real_tokens
from secondpass.models.processor import largest_weight
from secondpass.models.runnable import EngineGraph, Evaluate
from secondpass.models.span_head import beside_tokens
from secondpass.models.weight_files import fingerprint
from secondpass.models.weights import Weights
from secondpass.types import FloatArray

# Imported where a graph is not in the cache: a third of all that starting an engine costs.
_MAKING, _CALIBRATION = "secondpass.models.graph_making", "secondpass.models.quantize"


def open_written(
    folder: Path, head: Head, precision: Precision, projection: FloatArray | None, evaluate: Evaluate
) -> EngineGraph:
    """Return the graph of the model in ``folder``; where it is not in the cache it is written, int8 after calibration.

    Raises:
        InputError: no graph can be written for this architecture, or its weights cannot be read.
    """
    shape = read_graph_shape(folder)
    embeddings = Embeddings(Weights(folder), shape)

    def calibrate(weights: Weights) -> Mapping[str, Any]:
        found: Mapping[str, Any] = importlib.import_module(_CALIBRATION).calibrated_inputs(
            folder, weights, shape, head, embeddings, evaluate
        )
        return found

    def make(target: Path) -> None:
        make_room()
        write = importlib.import_module(_MAKING).write_graph
        write(folder, target, shape, head, projection, calibrate if precision == "int8" else None)

    kind = f"int8-{largest_weight()}" if precision == "int8" else "f32"  # bf16 is made of float32 by the engine
    name = f"{fingerprint(folder)}-{head}-{kind}"
    if projection is not None:
        name += f"-{hashlib.sha256(np.ascontiguousarray(projection, np.float32).tobytes()).hexdigest()[:8]}"
    graph = made_once(name, make) / GRAPH_FILE
    if head == "classify":
        return EngineGraph(graph, (LOGITS,), embeddings.inputs, _whole)
    if head == "classify_spans":
        return EngineGraph(graph, (LOGITS, SPANS), embeddings.inputs, _both)
    return EngineGraph(graph, (TOKENS,), embeddings.inputs, _real)


def _whole(batch: Batch, outputs: Sequence[FloatArray]) -> FloatArray:
    del batch
    return np.array(outputs[0], dtype=np.float32)


def _real(batch: Batch, outputs: Sequence[FloatArray]) -> FloatArray:
    return np.asarray(outputs[0][real_tokens(batch)], dtype=np.float32)


def _both(batch: Batch, outputs: Sequence[FloatArray]) -> FloatArray:
    logits, token_logits = outputs
    return beside_tokens(logits, token_logits[real_tokens(batch)], [len(ids) for ids in batch.ids])
