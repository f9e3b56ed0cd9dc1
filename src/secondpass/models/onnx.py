"""The engine on ONNX Runtime: small, starts in a tenth of a second, float32 exact or int8."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

import numpy as np
from onnxruntime import InferenceSession, SessionOptions
from onnxruntime.capi.onnxruntime_pybind11_state import Fail, RuntimeException

from secondpass.errors import InputError
from secondpass.models.engine import Batch, EngineOptions, Head, Precision
from secondpass.models.engine_graph import open_engine_graph
from secondpass.models.runnable import Feed, memory_error
from secondpass.types import FloatArray

PRECISIONS: tuple[Precision, ...] = ("f32", "int8")


class OnnxEngine:
    """An `EncoderEngine` that computes with ONNX Runtime on the CPU.

    ``projection`` (float32 [D, H], head ``tokens`` only) is applied to every token vector, which is then brought to
    length 1.

    Raises:
        InputError: the model, the precision or the device cannot be used.
    """

    def __init__(
        self, folder: Path, head: Head, options: EngineOptions | None = None, projection: FloatArray | None = None
    ) -> None:
        options = options or EngineOptions()
        if options.precision not in PRECISIONS:
            raise InputError(
                f"The engine onnx computes in {' or '.join(PRECISIONS)}, not in {options.precision}; the engines "
                "openvino and torch know bf16."
            )
        if options.device != "cpu":
            raise InputError(
                f"The engine onnx computes on the cpu, not on {options.device}; the engine torch knows GPUs."
            )
        self._precision = options.precision
        self._threads = options.threads
        self._graph = open_engine_graph(folder, head, options.precision, projection, self._evaluate)
        self._session = self._open(self._graph.path)

    @property
    def name(self) -> Literal["onnx"]:
        """The engine's name."""
        return "onnx"

    @property
    def precision(self) -> Precision:
        """The precision that the large products are computed in."""
        return self._precision

    def run(self, batch: Batch) -> FloatArray:
        """Return what `EncoderEngine.run` says of each head."""
        feed = self._graph.feed(batch)
        try:
            outputs = self._session.run(list(self._graph.outputs), dict(feed))
        except (RuntimeException, Fail) as error:
            if shortage := memory_error(RuntimeError(str(error))):
                raise shortage from error
            raise
        return self._graph.collect(batch, [np.asarray(output) for output in outputs])

    def _open(self, path: Path) -> InferenceSession:
        settings = SessionOptions()
        settings.intra_op_num_threads = self._threads or 0  # 0: one for every core
        settings.inter_op_num_threads = 1
        settings.log_severity_level = 3
        # Planned for each shape of a batch, and kept: over 400 passages 244 MiB become 318, and nothing gets faster.
        settings.enable_mem_pattern = False
        # The arena stays: without it 4 MiB less are held, but a failed allocation may end the process, not the batch.
        return InferenceSession(str(path), settings, providers=["CPUExecutionProvider"])

    def _evaluate(self, path: Path, feeds: Iterable[Feed]) -> Iterator[dict[str, FloatArray]]:
        session = self._open(path)
        names = [output.name for output in session.get_outputs()]
        for feed in feeds:
            yield dict(zip(names, session.run(names, dict(feed)), strict=True))
