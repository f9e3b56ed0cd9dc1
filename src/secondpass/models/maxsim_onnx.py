"""MaxSim of one group of passages by ONNX Runtime: the fastest of what was measured (docs/log.md)."""

from __future__ import annotations

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from secondpass.models.maxsim import GroupedMaxSim, GroupScorer
from secondpass.types import FloatArray

_OPSET, _IR_VERSION = 18, 9


def open_onnx_maxsim() -> GroupedMaxSim:
    """Return MaxSim that computes on one thread, whoever calls."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(_graph(), options, providers=["CPUExecutionProvider"])

    def prepare(query: FloatArray) -> GroupScorer:
        columns = np.ascontiguousarray(query.T)

        def score_group(vectors: FloatArray) -> FloatArray:
            scores: FloatArray = session.run(None, {"passages": vectors, "query": columns})[0]
            return scores

        return score_group

    return GroupedMaxSim("onnxruntime", prepare)


def _graph() -> bytes:
    """Return the graph passages [N, L, D], query [D, Q] -> product -> maximum over L -> sum over Q."""
    nodes = [
        helper.make_node("MatMul", ["passages", "query"], ["products"]),
        helper.make_node("ReduceMax", ["products", "axis"], ["nearest"], keepdims=0),
        helper.make_node("ReduceSum", ["nearest", "axis"], ["scores"], keepdims=0),
    ]
    graph = helper.make_graph(
        nodes,
        "maxsim",
        [
            helper.make_tensor_value_info("passages", TensorProto.FLOAT, ["N", "L", "D"]),
            helper.make_tensor_value_info("query", TensorProto.FLOAT, ["D", "Q"]),
        ],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N"])],
        [numpy_helper.from_array(np.array([1], np.int64), "axis")],
    )
    opset = [helper.make_opsetid("", _OPSET)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=_IR_VERSION)
    serialized: bytes = model.SerializeToString()
    return serialized
