"""From questions with passages to what a model in training computes: the seam between the loop and kinds of models."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from accelerate.utils import send_to_device
from torch import Tensor, nn

from secondpass.models.engine import TokenIds
from secondpass.train.groups import Group
from secondpass.train.losses import Groups

Fill = Callable[[Tensor], Groups]
"""Puts the scores of all pairs, float32 [P], into their groups."""


@dataclass(slots=True)
class Cutting:
    """How many pairs were read, and how many of them did not fit whole."""

    pairs: int = 0
    cut: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class StepBatches:
    """What a module computes of the pairs of a step.

    ``inputs`` are padded batches, in the memory of the CPU; ``plan`` says how what is computed of them becomes float32
    [P], the scores in the order of the pairs, and goes to the module as it is. ``cut`` of the ``pairs`` did not fit
    whole.
    """

    inputs: list[dict[str, Tensor]]
    plan: Any
    pairs: int
    cut: int


class TokenCounter(Protocol):
    """Counts texts in a model's tokens."""

    @property
    def max_tokens(self) -> int:
        """The longest input."""
        ...

    @property
    def special_count(self) -> int:
        """How many tokens an input has beside those of its texts."""
        ...

    @property
    def reads_together(self) -> bool:
        """Whether question and passage are one input."""
        ...

    def ids(self, texts: Sequence[str]) -> list[TokenIds]:
        """Return the ids of ``texts``, int64 [L] each, without special tokens."""
        ...


class TextReader(TokenCounter, Protocol):
    """Reads questions and passages as one kind of model reads them when it serves."""

    def batches(self, groups: Sequence[Group], device: torch.device) -> StepBatches:
        """Return the batches of all pairs of ``groups``, as many in one as ``device`` computes best."""
        ...

    def fits(self, query: str, passage: str) -> bool:
        """Say whether a pair is read whole."""
        ...


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """A model in training: what computes scores, how texts are read for it, and how it becomes a folder.

    ``write`` puts weights, settings and tokenizer into an empty folder; the module cannot be trained after it.
    ``new_head``: what its scores are read from was made for this run, and knows nothing at its start. ``old_evidence``:
    it points at evidence, and does not learn to. ``notes``: what else is worth knowing of the result.
    """

    module: nn.Module
    reader: TextReader
    write: Callable[[Path], None]
    new_head: bool = False
    old_evidence: bool = False
    notes: tuple[str, ...] = ()
    cutting: Cutting = field(default_factory=Cutting)

    def batches(self, groups: Sequence[Group], device: torch.device) -> tuple[list[dict[str, Tensor]], Any, Fill]:
        """Return the batches of all pairs of ``groups``, the plan of their scores, and what puts them into groups."""
        return self.taken(self.reader.batches(groups, device), groups, device)

    def taken(
        self, read: StepBatches, groups: Sequence[Group], device: torch.device
    ) -> tuple[list[dict[str, Tensor]], Any, Fill]:
        """Return what `batches` returns of pairs that were ``read`` before, and count what of them was cut."""
        self.cutting.pairs += read.pairs
        self.cutting.cut += read.cut
        inputs, plan = send_to_device((read.inputs, read.plan), device, non_blocking=True)
        return inputs, plan, lambda scores: fill(scores, groups)


def fill(scores: Tensor, groups: Sequence[Group]) -> Groups:
    """Put ``scores`` (float32 [P]) into their groups, [G, N]; shorter groups leave places empty."""
    width = max(len(group.passages) for group in groups)
    there = torch.tensor([[place < len(group.passages) for place in range(width)] for group in groups])
    device = scores.device

    def matrix(rows: Sequence[Sequence[float]]) -> Tensor:
        return torch.tensor([[*row, *[0.0] * (width - len(row))] for row in rows], device=device)

    filled = torch.zeros(len(groups), width, device=device).masked_scatter(there.to(device), scores)
    unknown = [math.nan] * width
    taught = any(group.teacher is not None for group in groups)
    teacher = matrix([group.teacher or unknown for group in groups]) if taught else None
    return Groups(filled, there.to(device), matrix([group.grades for group in groups]), teacher)
