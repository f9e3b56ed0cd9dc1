"""What torch engines share: the device, the precision, and one way of saying that memory ran out."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy.typing as npt
import torch
from torch import Tensor

from secondpass.errors import InputError
from secondpass.models.engine import Precision
from secondpass.types import FloatArray

_DTYPES: dict[Precision, torch.dtype] = {"f32": torch.float32, "bf16": torch.bfloat16}
_NO_MEMORY = ("can't allocate memory", "not enough memory", "out of memory", "bad_alloc")


def plan_no_shapes() -> None:
    """Keep cuDNN's attention out of this process: it is planned anew for every shape, and lengths of texts vary.

    With it a step of training took 7 to 18 seconds, in this call, on an H200 (docs/log.md); torch's own kernels need no
    plans.
    """
    torch.backends.cuda.enable_cudnn_sdp(False)


def open_device(name: str) -> torch.device:
    """Return the device ``name``.

    Raises:
        InputError: there is no such device here.
    """
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise InputError(f"There is no device {name!r}; accepted are cpu, cuda, cuda:1 and so on.") from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise InputError(f"The device {name} is not here: torch finds {torch.cuda.device_count()} CUDA devices.")
    if device.type == "cuda":
        plan_no_shapes()
    return device


def number_type(precision: Precision) -> torch.dtype:
    """Return torch's type of numbers for ``precision``.

    Raises:
        InputError: torch engines do not compute in it.
    """
    if precision not in _DTYPES:
        raise InputError(
            f"The torch engine computes in {' or '.join(_DTYPES)}, not in {precision}; "
            "the engines openvino and onnx know int8."
        )
    return _DTYPES[precision]


def sent(array: npt.NDArray[Any], device: torch.device) -> Tensor:
    """Return ``array`` on ``device``, without waiting for what a GPU was told to compute before."""
    tensor = torch.from_numpy(array)
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor


def fetched(output: Tensor) -> Callable[[], FloatArray]:
    """Return what waits for ``output``, and for nothing that a GPU was told to compute after it, as an array."""
    output = output.float()
    if not output.is_cuda:
        return output.numpy
    here = torch.empty(output.shape, dtype=output.dtype, pin_memory=True).copy_(output, non_blocking=True)
    done: Any = torch.Event("cuda")
    done.record()

    def wait() -> FloatArray:
        done.synchronize()
        array: FloatArray = here.numpy()
        return array

    return wait


@contextlib.contextmanager
def memory_errors() -> Iterator[None]:
    """Turn torch's ways of saying that memory ran out into ``MemoryError``."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise MemoryError(str(error)) from error
    except RuntimeError as error:
        if any(sign in str(error) for sign in _NO_MEMORY):
            raise MemoryError(str(error)) from error
        raise
