"""Writes an ONNX graph node by node, its large constants straight into a file beside it.

Nothing of a model is kept in memory: a weight is read, written and forgotten, so that a model of two gigabytes is
converted in the memory of its largest matrix, and protobuf's limit of two gigabytes is never met.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, ValueInfoProto, helper, numpy_helper

from secondpass.models.graph_shape import GRAPH_FILE, WEIGHTS_FILE

OPSET = 20  # the first with Gelu
_IR_VERSION = 10
_INLINE_BYTES = 1024  # smaller constants stand in the graph, where the engines' shape inference sees them
_ALIGNMENT = 4096  # engines map the weights page by page


class GraphWriter:
    """A graph in the making, in ``folder``; `save` completes it. To be used in a ``with`` statement."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[TensorProto] = []
        self._weights = (folder / WEIGHTS_FILE).open("wb")
        self._offset = 0
        self._count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._weights.close()

    def constant(self, values: npt.NDArray[Any]) -> str:
        """Add a constant of any dtype and return its name."""
        self._count += 1
        name = f"constant_{self._count}"
        if values.nbytes <= _INLINE_BYTES:
            self._constants.append(numpy_helper.from_array(np.array(values, order="C"), name))
            return name
        tensor = TensorProto(
            name=name,
            dims=values.shape,
            data_type=helper.np_dtype_to_tensor_dtype(values.dtype),
            data_location=TensorProto.EXTERNAL,
        )
        padding = -self._offset % _ALIGNMENT
        self._weights.write(bytes(padding))
        self._weights.write(np.ascontiguousarray(values).data)
        self._offset += padding
        for key, value in (("location", WEIGHTS_FILE), ("offset", self._offset), ("length", values.nbytes)):
            tensor.external_data.add(key=key, value=str(value))
        self._offset += values.nbytes
        self._constants.append(tensor)
        return name

    def integers(self, *values: int) -> str:
        """Add a constant int64 [n] and return its name."""
        return self.constant(np.array(values, dtype=np.int64))

    def node(self, kind: str, *inputs: str, output: str = "", **attributes: int | float | str | list[int]) -> str:
        """Add a node with one output and return that one's name."""
        self._count += 1
        output = output or f"{kind.lower()}_{self._count}"
        node = helper.make_node(kind, list(inputs), [output])
        node.attribute.extend(helper.make_attribute(key, value) for key, value in attributes.items())
        self._nodes.append(node)
        return output

    def save(self, inputs: list[ValueInfoProto], outputs: list[ValueInfoProto], notes: dict[str, str]) -> None:
        """Write the graph; ``notes`` are kept in it as metadata."""
        graph = helper.make_graph(self._nodes, "encoder", inputs, outputs, self._constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=_IR_VERSION)
        helper.set_model_props(model, notes)
        self._weights.flush()
        os.fsync(self._weights.fileno())  # a graph is found complete or not at all, after a power cut too
        onnx.save(model, self._folder / GRAPH_FILE)


def float_value(name: str, *shape: str | int) -> ValueInfoProto:
    """Describe an input or output of float32."""
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape))


def integer_value(name: str, *shape: str | int) -> ValueInfoProto:
    """Describe an input or output of int64."""
    return helper.make_tensor_value_info(name, TensorProto.INT64, list(shape))
