"""Numbers as they lie in weight files, and as float32; numpy has no bfloat16, which is the upper half of a float32."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from secondpass.types import FloatArray

FloatKind = Literal["F64", "F32", "F16", "BF16"]
RawArray: TypeAlias = npt.NDArray[Any]

FLOATS: dict[str, npt.DTypeLike] = {"F64": np.float64, "F32": np.float32, "F16": np.float16, "BF16": np.uint16}
"""The float types of safetensors that are computed with, and the type that holds their bits."""
INTEGERS: dict[str, npt.DTypeLike] = {
    "I64": np.int64, "I32": np.int32, "I16": np.int16, "I8": np.int8, "U64": np.uint64, "U32": np.uint32,
    "U16": np.uint16, "U8": np.uint8, "BOOL": np.uint8,
}  # fmt: skip
NAMES: dict[str, FloatKind] = {
    "f64": "F64", "f32": "F32", "f16": "F16", "bf16": "BF16",
}  # fmt: skip
"""What a person calls the float types."""
CONFIG_NAMES: dict[FloatKind, str] = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16"}
"""What config.json calls them."""


def item_bytes(kind: str) -> int:
    """Return the bytes of one number."""
    return np.dtype((FLOATS | INTEGERS)[kind]).itemsize


def widened(raw: RawArray, kind: str) -> FloatArray:
    """Return ``raw`` (the bits of ``kind``, [N]) as float32 [N]; float32 itself is not copied."""
    if kind == "BF16":
        return (raw.astype(np.uint32) << 16).view(np.float32)
    return np.asarray(raw, dtype=np.float32)


def narrowed(values: FloatArray, kind: FloatKind) -> RawArray:
    """Return ``values`` (float32 [N], finite) as the bits of ``kind``, rounded to the nearest, ties to even.

    >>> narrowed(np.array([1.0, -2.5], dtype=np.float32), "BF16").tolist()
    [16256, 49184]
    """
    if kind != "BF16":
        with np.errstate(over="ignore"):  # the caller looks for what is too large
            return values.astype(FLOATS[kind], copy=False)
    bits = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32)
    return ((bits + (0x7FFF + ((bits >> 16) & 1))) >> 16).astype(np.uint16)


def is_finite(raw: RawArray, kind: FloatKind) -> bool:
    """Say whether no number of ``raw`` (the bits of ``kind``) is infinite or not a number."""
    if kind == "BF16":
        return bool(((raw & 0x7F80) != 0x7F80).all())
    return bool(np.isfinite(raw).all())
