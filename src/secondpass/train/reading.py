"""From questions with passages to what a model in training computes: the seam between the loop and kinds of models."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from secondpass.train.encoder import ClassifierScores, PairEncoder, batches_of
from secondpass.train.groups import Group
from secondpass.train.losses import Groups

Fill = Callable[[Tensor], Groups]
"""Puts the scores of all pairs, float32 [P], into their groups."""


@dataclass(slots=True)
class Cutting:
    """How many pairs were read, and how many of them did not fit whole."""

    pairs: int = 0
    cut: int = 0


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """A model in training: what computes scores, and how texts are read for it.

    ``new_head``: what its scores are read from was made for this run, and knows nothing at its start.
    """

    tokenizer_folder: Path
    module: ClassifierScores
    reader: PairEncoder
    pad_id: int
    segments: bool
    new_head: bool = False
    cutting: Cutting = field(default_factory=Cutting)

    def batches(self, groups: Sequence[Group], device: torch.device) -> tuple[list[dict[str, Tensor]], Tensor, Fill]:
        """Return the batches of all pairs of ``groups``, the order of their scores, and what puts them into groups."""
        encoded = [self.reader.encode(group.query, group.passages) for group in groups]
        pairs = [pair for one in encoded for pair in one.pairs]
        self.cutting.pairs += len(pairs)
        self.cutting.cut += sum(one.cut for one in encoded)
        batches, order = batches_of(pairs, self.pad_id, self.segments, device)
        return batches, order, lambda scores: fill(scores, groups)


def fill(scores: Tensor, groups: Sequence[Group]) -> Groups:
    """Put ``scores`` (float32 [P]) into their groups, [G, N]; shorter groups leave places empty."""
    width = max(len(group.passages) for group in groups)
    there = torch.tensor([[place < len(group.passages) for place in range(width)] for group in groups])
    device = scores.device

    def matrix(rows: Sequence[Sequence[float]]) -> Tensor:
        return torch.tensor([[*row, *[0.0] * (width - len(row))] for row in rows], device=device)

    filled = torch.zeros(len(groups), width, device=device).masked_scatter(there.to(device), scores)
    known = [group.teacher for group in groups if group.teacher is not None]
    teacher = matrix(known) if len(known) == len(groups) else None
    return Groups(filled, there.to(device), matrix([group.grades for group in groups]), teacher)
