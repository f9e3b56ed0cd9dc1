"""How far where a model points is from where the answer stands."""

from __future__ import annotations

import torch
from torch import Tensor


def place_losses(spans: Tensor, batch: dict[str, Tensor]) -> Tensor:
    """Return float32 [B], the mean of the losses of first and last token: ``-ln sum of p over the answer's places``."""
    if "firsts" not in batch:
        return 0.0 * spans.sum(dim=(1, 2))
    outside = ~batch["passage"]
    losses = torch.zeros(len(spans), device=spans.device)
    there = batch["firsts"].any(dim=1)
    for side, name in enumerate(("firsts", "lasts")):
        logits = spans[:, :, side].masked_fill(outside, -1e4)
        chosen = logits.masked_fill(~batch[name], -1e4)
        loss = logits.logsumexp(dim=1) - chosen.logsumexp(dim=1)
        losses = losses + 0.5 * torch.where(there, loss, 0.0 * logits.sum(dim=1))
    return losses
