"""A model in training imitates a teacher that reads the same tokens: its states, its scores, and where it points.

A shallow model comes near a deep one far sooner by what that one makes of every token than by labels of whole passages
(Romero et al., arXiv:1412.6550; Jiao et al., arXiv:1909.10351).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from secondpass.train.place_losses import place_losses

_STATES = 4.0
"""The weight of each layer's states beside scores and places, which come right after them."""
_NEAR = 4.0
"""Logits: how far apart two scores may be for their distance to count squared; beyond, it counts as it is."""


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What a model makes of a batch.

    ``logits``: float32 [B]. ``states``: [B, L, H] each, those that go into every layer but the first. ``spans``:
    float32 [B, L, 2], the logits of first and last tokens of an answer; None of a model that does not point.
    """

    logits: Tensor
    states: Sequence[Tensor]
    spans: Tensor | None


class Teacher:
    """A model that is imitated and learns nothing: no part of the module that imitates it, nor of what is saved.

    ``seen`` returns what ``model`` makes of a batch of ids.
    """

    def __init__(self, model: nn.Module, seen: Callable[[dict[str, Tensor]], Seen]) -> None:
        self._model = model.eval().requires_grad_(False)
        self._seen = seen

    @torch.no_grad()
    def seen(self, batch: dict[str, Tensor]) -> Seen:
        """Return what the teacher makes of one batch of ids, on the device that the batch lies on."""
        self._model.to(batch["input_ids"].device)
        return self._seen(batch)


def same_depths(own: int, taught: int) -> list[int]:
    """Return which of ``taught`` layers are compared with ``own`` ones; the last with the last.

    >>> same_depths(3, 6), same_depths(2, 2), same_depths(3, 11)
    ([1, 3, 5], [0, 1], [3, 6, 10])
    """
    return [round((place + 1) * taught / own) - 1 for place in range(own)]


def imitation_losses(own: Seen, taught: Seen, batch: dict[str, Tensor]) -> Tensor:
    """Return float32 [B], how far each pair of ``own`` is from what the teacher made of it.

    Of states the squared distance from those of the teacher at the same share of its depth, as a share of their squared
    length, in the mean of the tokens, added up over layers; of scores Huber's loss; of places the divergence of the
    own distribution over the passage's tokens from the teacher's. Where it is known where the answer stands, states and
    places count by the probability that the teacher gives those places: what it gets wrong is learned from labels.
    """
    real = batch["attention_mask"].float()
    right = torch.ones_like(own.logits) if taught.spans is None else (-place_losses(taught.spans, batch)).exp()
    losses = torch.zeros_like(own.logits)
    for states, place in zip(own.states, same_depths(len(own.states), len(taught.states)), strict=True):
        target = taught.states[place].float()
        apart = (states.float() - target).square().sum(dim=2) / target.square().sum(dim=2)
        losses = losses + _STATES * right * (apart * real).sum(dim=1) / real.sum(dim=1)
    losses = losses + functional.smooth_l1_loss(own.logits, taught.logits, reduction="none", beta=_NEAR)
    if own.spans is None or taught.spans is None:
        return losses
    outside = ~batch["passage"][:, :, None]
    wanted, found = (spans.masked_fill(outside, -1e4).log_softmax(dim=1) for spans in (taught.spans, own.spans))
    return losses + 0.5 * right * (wanted.exp() * (wanted - found)).sum(dim=(1, 2))
