"""An ONNX file that a model folder ships: any architecture, run as its exporter made it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from google.protobuf.message import DecodeError
from onnx import TensorProto
from onnx.helper import tensor_dtype_to_np_dtype

from secondpass.errors import InputError
from secondpass.models.engine import Batch, Head, Precision
from secondpass.models.model_folder import read_json
from secondpass.models.padding import attended_tokens, real_tokens, token_types
from secondpass.models.runnable import EngineGraph
from secondpass.models.weight_files import SHIPPED_FILES, SPANS_FILE
from secondpass.types import FloatArray

_INPUTS = ("input_ids", "attention_mask", "token_type_ids")
_QUANTIZED = frozenset(
    {"QuantizeLinear", "DynamicQuantizeLinear", "MatMulInteger", "DynamicQuantizeMatMul", "QLinearMatMul"}
)
_HALVES = (TensorProto.FLOAT16, TensorProto.BFLOAT16)


def open_shipped(
    folder: Path, file: Path, head: Head, precision: Precision, projection: FloatArray | None
) -> EngineGraph:
    """Return the graph in ``file``; ``projection`` is applied to token vectors after it, in float32.

    Raises:
        InputError: the file is no ONNX file, wants other inputs, gives another output, or has another precision.
    """
    if head == "classify_spans":
        raise InputError(
            f"{folder} holds {SPANS_FILE} beside {file.name}, and no weights in safetensors: evidence is computed only "
            "from those. Add model.safetensors, or delete the file to score without evidence."
        )
    try:
        graph = onnx.load(file, load_external_data=False).graph
    except DecodeError as error:
        raise InputError(f"{file} is not an ONNX file that can be read ({error}): export it again.") from error
    _check_precision(file, graph, precision)
    names = {entry.name: tensor_dtype_to_np_dtype(entry.type.tensor_type.elem_type) for entry in graph.input}
    inputs = {name: names[name] for name in names if name not in {weight.name for weight in graph.initializer}}
    if not {"input_ids", "attention_mask"} <= set(inputs) <= set(_INPUTS):
        raise InputError(f"{file} wants the inputs {', '.join(inputs)}; accepted are {', '.join(_INPUTS)}.")
    output = _output(file, graph, head)
    pad_id = int(read_json(folder / "config.json").get("pad_token_id") or 0)

    def feed(batch: Batch) -> dict[str, npt.NDArray[Any]]:
        return _feed(batch, inputs, pad_id)

    def collect(batch: Batch, outputs: Sequence[FloatArray]) -> FloatArray:
        (values,) = outputs
        if head == "classify":
            return np.array(values, dtype=np.float32).reshape(len(batch.ids), -1)
        return _projected(values[real_tokens(batch)], projection)

    return EngineGraph(file, (output,), feed, collect)


def _check_precision(file: Path, graph: onnx.GraphProto, precision: Precision) -> None:
    found = "f32"
    if any(node.op_type in _QUANTIZED for node in graph.node):
        found = "int8"
    elif any(weight.data_type in _HALVES for weight in graph.initializer):
        found = "half precision"
    if found == precision or (found == "f32" and precision == "bf16"):
        return
    if precision == "int8":
        raise InputError(
            f"{file} is {found}; int8 is made only of safetensors weights in the same folder ("
            f"{', '.join(SHIPPED_FILES)} is run as it is). Ask for f32."
        )
    raise InputError(f"{file} computes in {found}, not in {precision}: ask for that, or export the model in float32.")


def _output(file: Path, graph: onnx.GraphProto, head: Head) -> str:
    """Return the output of the right rank: [B, C] (or [B]) for a classifier, [B, L, D] for token vectors."""
    ranks = {entry.name: len(entry.type.tensor_type.shape.dim) for entry in graph.output}
    wanted, names = ((2, 1), ("logits", "scores")) if head == "classify" else ((3,), ("last_hidden_state",))
    fitting = [name for name, rank in ranks.items() if rank in wanted]
    named = [name for name in names if name in fitting]
    if not fitting:
        shape = "one row a text" if head == "classify" else "one vector a token"
        raise InputError(f"{file} gives {', '.join(ranks)}, none of them {shape}: it was exported for another task.")
    return (named or fitting)[0]


def _feed(batch: Batch, inputs: Mapping[str, npt.DTypeLike], pad_id: int) -> dict[str, npt.NDArray[Any]]:
    inside = real_tokens(batch)
    ids = np.full(inside.shape, pad_id, np.int64)
    ids[inside] = np.concatenate(batch.ids)
    types = np.zeros(inside.shape, np.int64)
    types[inside] = token_types(batch)
    values = {"input_ids": ids, "attention_mask": attended_tokens(batch), "token_type_ids": types}
    return {name: values[name].astype(dtype) for name, dtype in inputs.items()}


def _projected(vectors: FloatArray, projection: FloatArray | None) -> FloatArray:
    if projection is None:
        return np.asarray(vectors, dtype=np.float32)
    projected = np.asarray(vectors, dtype=np.float32) @ np.asarray(projection, dtype=np.float32).T
    lengths = np.maximum(np.linalg.norm(projected, axis=1, keepdims=True), np.float32(1e-12))
    return np.asarray(projected / lengths, dtype=np.float32)
