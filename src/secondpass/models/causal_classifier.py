"""Classifiers on a language model's body, behind the interface of a language model: one logit after the last token.

Causal rerankers are converted to them by keeping, of the head, the row of "yes" minus the row of "no".
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from secondpass.models.causal_engine import DTYPES
from secondpass.models.engine import EngineOptions
from secondpass.models.torch_device import memory_errors
from secondpass.models.transformers_encoder import load_encoder


@dataclass(frozen=True, slots=True)
class ClassifierOutput:
    """Logits of the positions that were asked for, [B, P, C]."""

    logits: Tensor


class DecoderClassifier(nn.Module):
    """Gives a classifier's logits where a language model gives those of its vocabulary."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self._model = model
        self.config = model.config

    def get_output_embeddings(self) -> None:
        """Return that there is no head of words to be cut."""

    def set_attn_implementation(self, name: str) -> None:
        """Have the body attend by the implementation ``name``."""
        self._model.set_attn_implementation(name)

    def forward(self, input_ids: Tensor, logits_to_keep: Tensor | int, **known: Any) -> ClassifierOutput:
        """Return the logits after ``logits_to_keep``, int64 [P] or the last so many, of ``input_ids``, int64 [B, L]."""
        body = getattr(self._model, self._model.base_model_prefix)
        states = body(input_ids, **known).last_hidden_state
        kept = slice(-logits_to_keep, None) if isinstance(logits_to_keep, int) else logits_to_keep
        return ClassifierOutput(self._model.score(states[:, kept]))


def load_decoder_classifier(folder: Path, options: EngineOptions) -> DecoderClassifier:
    """Load the classifier in ``folder`` whose body is a decoder of transformers.

    Raises:
        InputError: transformers cannot load it, or weights are missing.
    """
    with memory_errors():
        model = load_encoder(folder, "classify").to(options.device, DTYPES[options.precision]).eval()
    return DecoderClassifier(model)
