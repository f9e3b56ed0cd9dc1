"""Give an embedder a classifier's head that every library loads and that learns from the first steps on.

An embedder's knowledge lies in the mean of its tokens, not in its first one, whose state nobody trained. A head on the
first token therefore learns late or not at all; a head on the mean learns at once, but no classifier of transformers
has one. So the mean is computed by a layer of the usual kind, put behind the last: its queries are zero, so that the
first token looks at all tokens alike; it adds their mean, enlarged, to its own state; its second half adds nothing. The
result is an ordinary checkpoint with one layer more, of which rerankers compute the first token alone.
"""

from __future__ import annotations

import copy
from typing import Any

import torch

from secondpass.errors import InputError

MEAN_OVER_FIRST = 8.0
"""How much the mean weighs beside the first token's own state, before both are brought to one length."""
_POOLER_SLOPE = 0.5
"""Keeps the pooler's tanh in its straight part, where gradients pass."""
KINDS = ("bert", "roberta", "xlm-roberta", "camembert", "electra")
"""Architectures, as model types of transformers, whose layers are of that kind."""


def add_mean_layer(model: Any) -> None:
    """Add the layer to a sequence classifier of transformers, and set its head to read it; the rest is untouched.

    Raises:
        InputError: the architecture has no layers of that kind.
    """
    config = model.config
    if config.model_type not in KINDS:
        known = ", ".join(KINDS)
        raise InputError(
            f"A mean-pooled head is known for {known}; this model is a {config.model_type}. Take head = "
            '"first", or start from a reranker.'
        )
    encoder = getattr(model, model.base_model_prefix).encoder
    layer = copy.deepcopy(encoder.layer[-1])
    with torch.no_grad():
        _set(layer, config.hidden_size)
        _straighten(model, config.hidden_size)
    encoder.layer.append(layer)
    config.num_hidden_layers += 1


def _set(layer: Any, hidden: int) -> None:
    for part in (layer.attention.self.query, layer.attention.self.value, layer.attention.output.dense):
        part.weight.zero_()
        part.bias.zero_()
    layer.attention.self.value.weight.copy_(torch.eye(hidden))
    layer.attention.output.dense.weight.copy_(MEAN_OVER_FIRST * torch.eye(hidden))
    layer.output.dense.weight.zero_()
    layer.output.dense.bias.zero_()
    for norm in (layer.attention.output.LayerNorm, layer.output.LayerNorm):
        norm.weight.fill_(1.0)
        norm.bias.zero_()


def _straighten(model: Any, hidden: int) -> None:
    """Let the dense layer of the head hand the mean on, so that only the last weights are random."""
    base = getattr(model, model.base_model_prefix)
    dense = base.pooler.dense if getattr(base, "pooler", None) is not None else model.classifier.dense
    dense.weight.copy_(_POOLER_SLOPE * torch.eye(hidden))
    dense.bias.zero_()
