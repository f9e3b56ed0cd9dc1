"""What torch computes slowly on a CPU in training, computed quickly: dropout, and attention in bf16.

torch draws and compares a number of its own for every element that may be dropped; a fifth of a training step of a
small model goes there. Here sixteen bits an element are drawn, four elements at a time, the chance rounded to 1/65,536.
All that is drawn follows from torch's generator, so that a seed means what it meant, and a pass that is computed twice
(gradient checkpointing) drops the same.

torch's fused attention is slow in bf16, backward above all: where inputs are short, two products and a softmax take a
quarter to a half of its time (docs/log.md).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

_CHANCES = 1 << 16
_SHORT = 512
"""Tokens up to which attention in bf16 is quicker without torch's fused kernel."""


def quick_on_cpu(device: torch.device) -> AbstractContextManager[object]:
    """Return what makes dropout and attention quick on ``device``; on others than the CPU it changes nothing.

    It is forgotten in a backward pass: layers that are computed again there need it of their own (`recompute_layers`).
    """
    return _QuickOnCpu() if device.type == "cpu" else nullcontext()


def kept(like: Tensor, chance: float) -> Tensor:
    """Return what ``like`` is multiplied by, of its shape and type: 0 with ``chance``, else 1 / (1 - ``chance``)."""
    words = torch.empty((like.numel() + 3) // 4, dtype=torch.int64).random_(-(1 << 63), None)
    drawn = words.view(torch.int16)[: like.numel()].view(like.shape)
    dropped = round(chance * _CHANCES)
    return (drawn >= dropped - _CHANCES // 2).to(like.dtype).mul_(_CHANCES / (_CHANCES - dropped))


class _QuickOnCpu(TorchFunctionMode):
    """Takes the place of torch's dropout and attention wherever a model calls them, whatever its architecture."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if func is functional.dropout:
            return _dropout(*args, **(kwargs or {}))
        if func is functional.scaled_dot_product_attention:
            return _attention(*args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))


def _dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:  # noqa: A002
    """Take torch's arguments, by torch's names."""
    if not training or not 0 < p < 1 or inplace or not input.is_floating_point():
        return functional.dropout(input, p, training, inplace)
    return input * kept(input, p)


def _attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    **more: Any,
) -> Tensor:
    """Compute attention one by one, product, softmax, drop, product (arXiv:1706.03762), where that is quicker."""
    short = query.dtype == torch.bfloat16 and key.shape[-2] <= _SHORT
    drops = 0 < dropout_p < 1
    if not (drops or short) or is_causal or more.get("enable_gqa"):
        return functional.scaled_dot_product_attention(query, key, value, attn_mask, dropout_p, is_causal, **more)
    scores = (query * (more.get("scale") or query.shape[-1] ** -0.5)) @ key.transpose(-2, -1)
    if attn_mask is not None and attn_mask.dtype == torch.bool:
        scores = scores + torch.where(attn_mask, 0.0, torch.finfo(scores.dtype).min).to(scores.dtype)
    elif attn_mask is not None:
        scores = scores + attn_mask.to(scores.dtype)
    chances = scores.softmax(dim=-1)
    attended: Tensor = (chances * kept(chances, dropout_p) if drops else chances) @ value
    return attended
