"""The engine on OpenVINO: the fastest here on CPUs that know its instructions; float32 exact, bf16 or int8."""

from __future__ import annotations

import os
import queue
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
from openvino import CompiledModel, Core

from secondpass.errors import InputError
from secondpass.models.engine import Batch, EngineOptions, Head, Precision
from secondpass.models.engine_graph import open_engine_graph
from secondpass.models.mapped_pages import forget_pages
from secondpass.models.openvino_core import shared_core
from secondpass.models.runnable import Feed, memory_error
from secondpass.types import FloatArray

PRECISIONS: tuple[Precision, ...] = ("f32", "bf16", "int8")
_DEVICE = "CPU"


class OpenVinoEngine:
    """An `EncoderEngine` that computes with OpenVINO on the CPU; one batch at a time, with all of its threads.

    ``projection`` (float32 [D, H], head ``tokens`` only) is applied to every token vector, which is then brought to
    length 1.

    Raises:
        InputError: the model, the precision or the device cannot be used.
    """

    def __init__(
        self, folder: Path, head: Head, options: EngineOptions | None = None, projection: FloatArray | None = None
    ) -> None:
        options = options or EngineOptions()
        if options.device != "cpu":
            raise InputError(
                f"The engine openvino computes on the cpu, not on {options.device}; the engine torch knows GPUs."
            )
        self._core = shared_core()
        if options.precision == "bf16" and not knows_bf16(self._core):
            raise InputError(
                "This CPU has no bf16 instructions (avx512_bf16 or amx_bf16), so bf16 would be slower than f32: ask "
                "for f32, or for int8 where its accuracy is enough."
            )
        self._precision = options.precision
        self._threads = options.threads
        self._graph = open_engine_graph(folder, head, options.precision, projection, self._evaluate)
        self._model = self._compile(self._graph.path, options.precision)
        forget_pages(self._graph.path.parent)  # packed by now: all weights would be in memory twice
        # A request owns the memory of its batch; whoever holds it computes.
        self._requests: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._requests.put(self._model.create_infer_request())

    @property
    def name(self) -> Literal["openvino"]:
        """The engine's name."""
        return "openvino"

    @property
    def precision(self) -> Precision:
        """The precision that the large products are computed in."""
        return self._precision

    def run(self, batch: Batch) -> FloatArray:
        """Return what `EncoderEngine.run` says of each head."""
        feed = self._graph.feed(batch)
        request = self._requests.get()
        try:
            compute(request, dict(feed))
            return self._graph.collect(batch, [request.get_tensor(name).data for name in self._graph.outputs])
        except RuntimeError as error:
            if shortage := memory_error(error):
                raise shortage from error
            raise
        finally:
            self._requests.put(request)

    def _compile(self, path: Path, precision: Precision) -> CompiledModel:
        # Everything that could be rounded without being asked is said here: the defaults differ between CPUs.
        settings = {
            "INFERENCE_PRECISION_HINT": "bf16" if precision == "bf16" or self._rest_in_bf16(precision) else "f32",
            "DYNAMIC_QUANTIZATION_GROUP_SIZE": 0,
            "NUM_STREAMS": 1,
            "INFERENCE_NUM_THREADS": self._threads or len(_usable_cores()),
            "ENABLE_CPU_PINNING": False,  # two processes would be pinned to the same cores
        }
        try:
            return self._core.compile_model(str(path), _DEVICE, settings)
        except RuntimeError as error:
            if shortage := memory_error(error):
                raise shortage from error
            raise

    def _rest_in_bf16(self, precision: Precision) -> bool:
        # What int8 leaves float: an eighth faster, and bf16 adds a tenth of the error that int8 has.
        return precision == "int8" and knows_bf16(self._core)

    def _evaluate(self, path: Path, feeds: Iterable[Feed]) -> Iterator[dict[str, FloatArray]]:
        model = self._compile(path, "f32")
        request = model.create_infer_request()
        for feed in feeds:
            compute(request, dict(feed))
            yield {output.any_name: np.array(request.get_tensor(output).data) for output in model.outputs}


def compute(request: Any, feed: dict[Any, Any]) -> None:
    """Run a request to its end.

    Not by ``infer``: where memory runs out that leaves the numbers of the batch before in place and says nothing
    (openvino 2026.4.1); waiting for a started request raises.
    """
    request.start_async(feed, share_inputs=True)
    request.wait()


def knows_bf16(core: Core) -> bool:
    """Say whether this CPU computes bf16 products itself."""
    return "BF16" in core.get_property(_DEVICE, "OPTIMIZATION_CAPABILITIES")


def _usable_cores() -> set[int]:
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count() or 1))
