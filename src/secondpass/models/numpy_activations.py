"""The activations of encoders in numpy, in place and piece by piece, so that a piece stays in the processor's cache."""

from __future__ import annotations

import math

import numpy as np

from secondpass.models.graph_shape import Activation
from secondpass.types import FloatArray

_NUMBERS_AT_ONCE = 32_768
# erf(z) = 1 - (a1 t + ... + a5 t^5) exp(-z^2), t = 1 / (1 + p z), z >= 0; off by 1.5e-7 at most (Abramowitz and Stegun,
# Handbook of Mathematical Functions, 7.1.26).
_P = np.float32(0.3275911)
_A = tuple(map(np.float32, (0.254829592, -0.284496736, 1.421413741, -1.453152027, 1.061405429)))
_HALF_ROOT, _ROOT = np.float32(math.sqrt(0.5)), np.float32(math.sqrt(2 / math.pi))


def activate(x: FloatArray, activation: Activation) -> FloatArray:
    """Apply ``activation`` to ``x`` (float32, contiguous) in place, and return it."""
    flat = x.reshape(-1)
    for start in range(0, len(flat), _NUMBERS_AT_ONCE):
        part = flat[start : start + _NUMBERS_AT_ONCE]
        if activation == "gelu":
            _gelu(part)
        elif activation == "gelu_tanh":
            _gelu_tanh(part)
        elif activation == "relu":
            np.maximum(part, 0, out=part)
        else:
            np.tanh(part, out=part)
    return x


def _gelu(x: FloatArray) -> None:
    """``x Phi(x)``, with Phi by its complement where x is negative: no digits are lost there."""
    z = np.abs(x)
    z *= _HALF_ROOT
    t = z * _P
    t += 1
    np.reciprocal(t, out=t)
    z *= z
    np.negative(z, out=z)
    np.exp(z, out=z)
    tail = t * _A[4]
    for factor in _A[3::-1]:
        tail += factor
        tail *= t
    tail *= z  # erfc(|x| / sqrt 2)
    tail *= np.float32(0.5)
    tail *= np.abs(x)  # what is missing from max(x, 0)
    np.maximum(x, 0, out=x)
    x -= tail


def _gelu_tanh(x: FloatArray) -> None:
    inner = x * x
    inner *= np.float32(0.044715)
    inner += 1
    inner *= x
    inner *= _ROOT
    np.tanh(inner, out=inner)
    inner += 1
    inner *= np.float32(0.5)
    x *= inner
