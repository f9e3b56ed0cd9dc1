"""Matrix products of one precision, by the fastest way that this build of torch has.

On a CPU, oneDNN with weights packed once computes float32 more than twice as fast as the BLAS that torch's ``Linear``
calls on some processors, and bfloat16 without repacking at each call. torch keeps those operators private, so that
they are tried, compared with ``Linear``, and left alone where they are missing or disagree.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

from secondpass.models.torch_weights import Activation

Linear: TypeAlias = Callable[[Tensor], Tensor]
"""[T, inputs] -> [T, outputs]"""

_TOKENS_HINT = 1024
"""How many rows the packed weights are laid out for: the usual size of a batch."""


def make_linear(weight: Tensor, bias: Tensor, packed: bool, activation: Activation | None = None) -> Linear:
    """Return ``x -> activation(x weight^T + bias)``; weight and bias are of the precision to compute in."""
    if packed:
        return _packed(weight.contiguous(), bias.contiguous(), activation)

    def plain(x: Tensor) -> Tensor:
        y = functional.linear(x, weight, bias)
        if activation is None:
            return y
        if activation == "relu":
            return functional.relu(y)
        return functional.gelu(y, approximate="tanh" if activation == "tanh" else "none")

    return plain


def _packed(weight: Tensor, bias: Tensor, activation: Activation | None) -> Linear:
    reordered = torch.ops.mkldnn._reorder_linear_weight(weight, _TOKENS_HINT)
    operation, algorithm = {
        None: ("none", ""),
        "relu": ("relu", ""),
        "gelu": ("gelu", "none"),
        "tanh": ("gelu", "tanh"),
    }[activation]
    run = torch.ops.mkldnn._linear_pointwise

    def fused(x: Tensor) -> Tensor:
        y: Tensor = run(x, reordered, bias, operation, [], algorithm)
        return y

    return fused


def product(x: Tensor, y: Tensor) -> Tensor:
    """Return x y^T of two matrices through oneDNN, for which neither is packed."""
    result: Tensor = torch.ops.mkldnn._linear_pointwise(x, y, None, "none", [], "")
    return result


def packed_weights_work(dtype: torch.dtype) -> bool:
    """Whether oneDNN with packed weights is there and gives the numbers that ``Linear`` gives."""
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    generator = torch.Generator().manual_seed(0)
    x, weight, bias = (torch.randn(size, generator=generator) for size in ((5, 24), (16, 24), (16,)))
    try:
        if dtype == torch.bfloat16 and not torch.ops.mkldnn._is_mkldnn_bf16_supported():
            return False
        for activation in (None, "gelu", "tanh", "relu"):
            expected = make_linear(weight, bias, packed=False, activation=activation)(x)
            given = make_linear(weight.to(dtype), bias.to(dtype), packed=True, activation=activation)(x.to(dtype))
            close = 1e-4 if dtype == torch.float32 else 0.1
            if not torch.allclose(given.float(), expected, atol=close, rtol=close / 10):
                return False
        if dtype == torch.float32 and not torch.allclose(product(x, weight), x @ weight.T, atol=1e-4):
            return False
    except (RuntimeError, AttributeError, TypeError, NotImplementedError):
        return False
    return True
