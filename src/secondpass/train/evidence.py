"""Learn where in a relevant passage the answer stands, beside how relevant the passage is, in the same pass.

A linear layer on the states that go into the last layer gives every token a logit as the answer's first and as its
last one (Devlin et al., arXiv:1810.04805, section 4.2). An answer that stands in a passage several times is learned by
the sum of its places' probabilities (Clark and Gardner, arXiv:1710.10723), since nobody said which one was meant.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from secondpass.models.span_head import read_span_head
from secondpass.models.weight_files import SPANS_FILE
from secondpass.train.encoder import ClassifierScores
from secondpass.train.imitation import Seen, Teacher
from secondpass.train.place_losses import place_losses

HEAD_SPEED = 20.0
"""How many times faster than the body the head learns: it is one new layer on states that mean much already."""
HEAD_KEPT = (
    f"{SPANS_FILE}, by which the model points at evidence, is that of the start: it was learned for the weights before "
    "this training and may point less well now. Examples with `answers` and evidence = 0.25 teach it further"
)
HEAD_LEFT = (
    f"{SPANS_FILE}, by which the model pointed at evidence, is left out: a new layer stands under the head now, for "
    'which it was not learned. head = "own" keeps it; examples with `answers` and evidence = 0.25 teach a new one'
)


class EvidenceScores(ClassifierScores):
    """A classifier that also says where the answer stands; the head in ``folder`` is taken up (None: a new one)."""

    def __init__(self, model: nn.Module, folder: Path | None, teacher: Teacher | None = None) -> None:
        super().__init__(model, teacher)
        config: Any = model.config
        self.head = nn.Linear(config.hidden_size, 2)
        nn.init.zeros_(self.head.bias)
        if folder is not None:
            known = read_span_head(folder, config.hidden_size)
            parts = {"weight": torch.from_numpy(known.weight), "bias": torch.from_numpy(known.bias)}
            self.head.load_state_dict(parts)
        self.keep_states()

    def row(self, batch: dict[str, Tensor], looked_up: dict[str, Tensor]) -> Tensor:
        """Return float32 [B, 3]: each pair's logit, loss of the places, and distance from the teacher; 0 for none."""
        seen = self.seen(looked_up)
        assert seen.spans is not None
        return torch.stack([seen.logits, place_losses(seen.spans, batch), self.imitated(seen, batch)], dim=1)

    def seen(self, batch: dict[str, Tensor]) -> Seen:
        """Return what the model makes of one batch, with where it points."""
        seen = super().seen(batch)
        return replace(seen, spans=self.head(seen.states[-1]).float())

    def save_head(self, folder: Path) -> None:
        """Write the head beside the checkpoint in ``folder``."""
        save_file({name: values.contiguous() for name, values in self.head.state_dict().items()}, folder / SPANS_FILE)


def parted(output: Tensor) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """Return the scores of a forward pass, and its losses of places and of imitation where there are any, all [P]."""
    return (output[:, 0], output[:, 1], output[:, 2]) if output.ndim == 2 else (output, None, None)
