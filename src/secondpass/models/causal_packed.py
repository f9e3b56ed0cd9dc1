"""Language models without padding on a GPU: the sequences of a batch lie one after another in a single row.

transformers computes the layers; attention is ours, one call within the bounds of each sequence, and the norms are
torch's own, one kernel instead of six.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import AttentionInterface
from transformers.masking_utils import AttentionMaskInterface

from secondpass.models.engine import Batch
from secondpass.models.torch_attention import Bounds, bounds, flash
from secondpass.models.torch_device import sent

_NAME = "secondpass_packed"
_KINDS = frozenset({"qwen2", "qwen3", "llama"})
"""Architectures whose attention is nothing but causal, and whose norms multiply by their weight."""


def pack(model: Any, device: torch.device) -> bool:
    """Have ``model`` compute packed rows, and say whether it can: its architecture, its numbers and ``device`` do."""
    config = model.config
    half = next(model.parameters()).dtype == torch.bfloat16
    if config.model_type not in _KINDS or not half or getattr(config, "use_sliding_window", False):
        return False
    if bounds([0, 1], [1], device) is None:
        return False
    AttentionInterface.register(_NAME, _attend)
    AttentionMaskInterface.register(_NAME, _no_mask)
    model.set_attn_implementation(_NAME)
    for module in model.modules():
        if type(module).__name__.endswith("RMSNorm"):
            module.forward = _Norm(module)
    return True


def packed_logits(model: Any, batch: Batch, device: torch.device) -> Tensor:
    """Return the logits after the last token of each sequence of ``batch``, [B, V]."""
    lengths = [len(ids) for ids in batch.ids]
    starts = np.concatenate([[0], np.cumsum(lengths)])
    ids = sent(np.concatenate(batch.ids), device)
    places = sent(np.concatenate([np.arange(length) for length in lengths]), device)
    last = sent(starts[1:] - 1, device)
    logits: Tensor = model(
        ids[None],
        position_ids=places[None],
        use_cache=False,
        logits_to_keep=last,
        packed_bounds=bounds(starts.tolist(), lengths, device),
    ).logits
    return logits[0]


def _attend(
    _: nn.Module, query: Tensor, key: Tensor, value: Tensor, __: Tensor | None, **known: Any
) -> tuple[Tensor, None]:
    """Attend within each sequence; ``query`` [1, heads, T, D], ``key`` and ``value`` [1, key heads, T, D]."""
    where: Bounds = known["packed_bounds"]
    query, key, value = (one[0].transpose(0, 1) for one in (query, key, value))
    scale = known.get("scaling") or query.shape[-1] ** -0.5
    context = flash(query, key, value, where, causal=True, scale=scale)
    return context[None], None


def _no_mask(*_: object, **__: object) -> None:
    """Return no mask: bounds say what is looked at."""


class _Norm:
    """The root mean square norm of a module (Zhang and Sennrich, arXiv:1910.07467)."""

    def __init__(self, module: Any) -> None:
        self._weight, self._epsilon = module.weight, module.variance_epsilon

    def __call__(self, states: Tensor) -> Tensor:
        return functional.rms_norm(states, self._weight.shape, self._weight, self._epsilon)
