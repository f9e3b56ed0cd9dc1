"""MaxSim of one group of passages by OpenVINO, in float32 whatever the machine would rather take."""

from __future__ import annotations

import threading

import numpy as np
import openvino
from openvino import opset13

from secondpass.models.maxsim import GroupedMaxSim, GroupScorer
from secondpass.models.openvino_core import shared_core
from secondpass.types import FloatArray

_SETTINGS = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32", "NUM_STREAMS": 1}


def open_openvino_maxsim() -> GroupedMaxSim:
    """Return MaxSim that computes on one thread, one caller after the other."""
    passages = opset13.parameter([-1, -1, -1], np.float32)  # [N, L, D]
    query_columns = opset13.parameter([-1, -1], np.float32)  # [D, Q]
    axis = opset13.constant(np.array([1], np.int64))
    nearest = opset13.reduce_max(opset13.matmul(passages, query_columns, False, False), axis, False)
    model = openvino.Model([opset13.reduce_sum(nearest, axis, False)], [passages, query_columns], "maxsim")
    compiled = shared_core().compile_model(model, "CPU", _SETTINGS)
    local = threading.local()

    def prepare(query: FloatArray) -> GroupScorer:
        if not hasattr(local, "request"):
            local.request = compiled.create_infer_request()
        request, columns = local.request, np.ascontiguousarray(query.T)

        def score_group(vectors: FloatArray) -> FloatArray:
            # Not by `infer`, which says nothing where memory runs out and leaves the scores of the group before.
            request.start_async({0: vectors, 1: columns}, share_inputs=True)
            request.wait()
            scores: FloatArray = np.array(request.get_output_tensor(0).data, dtype=np.float32)
            return scores

        return score_group

    return GroupedMaxSim("openvino", prepare)
