"""Which graph an engine runs for a model folder."""

from __future__ import annotations

import importlib
from pathlib import Path

from secondpass.models.engine import Head, Precision
from secondpass.models.graph_kinds import unsupported
from secondpass.models.jina_layout import read_config
from secondpass.models.runnable import EngineGraph, Evaluate
from secondpass.models.weight_files import shipped_file
from secondpass.models.weights import has_weights
from secondpass.models.written_graph import open_written
from secondpass.types import FloatArray

_SHIPPED = "secondpass.models.shipped_graph"  # imports onnx, which graphs of our own need only to be written


def open_engine_graph(
    folder: Path, head: Head, precision: Precision, projection: FloatArray | None, evaluate: Evaluate
) -> EngineGraph:
    """Return our own graph where we can write one, else the ONNX file of the folder.

    Raises:
        InputError: neither is possible.
    """
    file = shipped_file(folder)
    ours = has_weights(folder) and unsupported(read_config(folder)) is None
    if ours or file is None:
        return open_written(folder, head, precision, projection, evaluate)
    opened: EngineGraph = importlib.import_module(_SHIPPED).open_shipped(folder, file, head, precision, projection)
    return opened
