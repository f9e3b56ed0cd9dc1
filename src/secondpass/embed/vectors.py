"""Rows of numbers to rows of length 1."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from secondpass.types import FloatArray


def unit_rows(rows: npt.ArrayLike) -> FloatArray:
    """Return ``rows`` as float32 [B, D], each divided by its length; a row of zeros stays one."""
    array = np.asarray(rows, dtype=np.float32)
    lengths = np.linalg.norm(array, axis=1, keepdims=True)
    lengths[lengths == 0] = 1
    unit: FloatArray = (array / lengths).astype(np.float32)
    return unit
