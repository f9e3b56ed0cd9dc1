"""Token sequences of a step to padded batches of like lengths: little of what is computed is padding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from secondpass.models.batching import GPU_BUDGET_TOKENS, plan
from secondpass.models.engine import TokenIds

_PAD_BUDGET_CPU = 4096
"""Padded tokens of one forward pass: on a CPU small ones waste less."""
_OVERHEAD_GPU = 16_384
"""What one more batch costs there: kernels of both passes to start, of a teacher too, in tokens' worth of computing."""


def planned(lengths: Sequence[int], device: torch.device) -> tuple[list[list[int]], Tensor]:
    """Return which sequences go together on ``device``, and int64 [P], where each one's number stands after them."""
    if device.type == "cpu":
        batches = plan(lengths, _PAD_BUDGET_CPU)
    else:
        batches = plan(lengths, GPU_BUDGET_TOKENS, overhead_tokens=_OVERHEAD_GPU)
    order = torch.empty(len(lengths), dtype=torch.long)
    order[torch.tensor([index for batch in batches for index in batch], dtype=torch.long)] = torch.arange(len(lengths))
    return batches, order


def padded(sequences: Sequence[TokenIds], pad_id: int) -> npt.NDArray[np.int64]:
    """Return sequences, int64 [L_i] each, as int64 [B, L], filled up on the right."""
    ids = np.full((len(sequences), max(len(one) for one in sequences)), pad_id, dtype=np.int64)
    for row, one in enumerate(sequences):
        ids[row, : len(one)] = one
    return ids


def tensors(arrays: Mapping[str, npt.NDArray[Any]]) -> dict[str, Tensor]:
    """Return arrays as tensors of the same memory."""
    return {name: torch.from_numpy(array) for name, array in arrays.items()}
