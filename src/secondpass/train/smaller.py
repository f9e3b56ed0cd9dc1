"""Make a classifier smaller before it is trained: fewer layers, heads joined in pairs, the neurons that matter most.

What comes out orders passages badly. It is a start that keeps much of what the model knows, from which a few thousand
steps of imitating the model itself (`imitation`) lead back near it; a network drawn at random would need millions.

- Layers are left out (Fan et al., arXiv:1909.11556).
- Two heads that look at the same tokens become one of both sizes: its scores are the weighted sum of theirs, so that it
  looks where both do, and half as many softmaxes are computed, which take most of the time of long inputs.
- Neurons between the two layers of the feed-forward part stay that move its output the most (Michel et al.,
  arXiv:1905.10650, measure heads so).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from secondpass.errors import InputError
from secondpass.train.mean_layer import KINDS

_LAYER = re.compile(r"\.encoder\.layer\.(\d+)\.")
_JOINED = 0.8
"""How much each of two heads' scores counts in those of the head that they become; one half would blur both."""


@dataclass(frozen=True, slots=True)
class Size:
    """What is left of a model: the numbers of its layers from 0, how many heads, how many neurons; None: as it is."""

    layers: tuple[int, ...] | None = None
    heads: int | None = None
    neurons: int | None = None

    def __bool__(self) -> bool:
        """Whether anything is made smaller."""
        return self != Size()


def size_of(layers: str, heads: int, neurons: int) -> Size:
    """Return the size that options say; an empty list and 0 leave a model as it is.

    Raises:
        InputError: ``layers`` are no numbers.

    >>> size_of("0, 2,5", 0, 768)
    Size(layers=(0, 2, 5), heads=None, neurons=768)
    """
    try:
        numbers = tuple(int(part) for part in layers.split(",") if part.strip())
    except ValueError as error:
        raise InputError(
            f"layers is {layers!r}; write the numbers of those that stay, from 0, such as 0,2,5."
        ) from error
    return Size(numbers or None, heads or None, neurons or None)


def make_smaller(model: Any, size: Size, batches: Sequence[dict[str, Tensor]]) -> Any:
    """Return a classifier of ``size``, made of ``model``, which is read on ``batches`` to see what matters.

    Raises:
        InputError: the architecture or the size is none that can be made.
    """
    _check(model.config, size)
    heads, neurons = _observed(model, batches)
    config = type(model.config).from_dict(model.config.to_dict())
    kept = size.layers or tuple(range(config.num_hidden_layers))
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    for index in kept:
        layer = f"{model.base_model_prefix}.encoder.layer.{index}."
        if size.heads and size.heads < config.num_attention_heads:
            _join_heads(weights, layer, heads[index])
        if size.neurons:
            _keep_neurons(weights, layer, neurons[index], size.neurons)
    config.num_hidden_layers = len(kept)
    config.num_attention_heads = size.heads or config.num_attention_heads
    config.intermediate_size = size.neurons or config.intermediate_size
    smaller = type(model)(config)
    smaller.load_state_dict(dict(_renumbered(weights, kept)))
    return smaller


def _check(config: Any, size: Size) -> None:
    if config.model_type not in KINDS:
        raise InputError(
            f"Models of {', '.join(KINDS)} can be made smaller; this one is a {config.model_type}. Leave layers, heads "
            "and neurons out."
        )
    count, heads, wide = config.num_hidden_layers, config.num_attention_heads, config.intermediate_size
    if size.layers and not (sorted(set(size.layers)) == list(size.layers) and size.layers[-1] < count):
        raise InputError(
            f"layers is {','.join(map(str, size.layers))}; accepted are numbers from 0 to {count - 1}, rising."
        )
    if size.heads and (size.heads not in {heads, heads / 2}):
        raise InputError(f"heads is {size.heads}; the model has {heads}, of which {heads // 2} can be made (or none).")
    if size.neurons and size.neurons > wide:
        raise InputError(f"neurons is {size.neurons}; the model has {wide}; give fewer.")


@torch.no_grad()
def _observed(model: Any, batches: Sequence[dict[str, Tensor]]) -> tuple[list[Tensor], list[Tensor]]:
    """Return of each layer how alike its heads' scores are, float32 [H, H], and how much each neuron moves, [N]."""
    layers = getattr(model, model.base_model_prefix).encoder.layer
    heads, wide = model.config.num_attention_heads, model.config.intermediate_size
    alike = [torch.zeros(heads, heads) for _ in layers]
    moved = [torch.zeros(wide) for _ in layers]

    def see_scores(index: int, states: Tensor) -> None:
        attention = layers[index].attention.self
        query, key = (
            part(states).unflatten(2, (heads, -1)).transpose(1, 2) for part in (attention.query, attention.key)
        )
        scores = query @ key.transpose(2, 3)
        scores = (scores - scores.mean(dim=3, keepdim=True)).transpose(0, 1).flatten(1)
        scores = scores / scores.norm(dim=1, keepdim=True).clamp(min=1e-9)
        alike[index] += scores @ scores.T

    def see_neurons(index: int, states: Tensor) -> None:
        moved[index] += states.abs().flatten(0, 1).sum(dim=0)

    training = model.training
    model.eval()
    with _listening(layers, see_scores, see_neurons):
        for batch in batches:
            model(**batch)
    model.train(training)
    lengths = [layer.output.dense.weight.norm(dim=0) for layer in layers]
    return alike, [one * length for one, length in zip(moved, lengths, strict=True)]


@contextmanager
def _listening(layers: Any, see_scores: Any, see_neurons: Any) -> Iterator[None]:
    hooks = []
    for index, layer in enumerate(layers):
        hooks.append(layer.register_forward_pre_hook(lambda _, given, index=index: see_scores(index, given[0])))
        hooks.append(layer.output.register_forward_pre_hook(lambda _, given, index=index: see_neurons(index, given[0])))
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _pairs(alike: Tensor) -> list[int]:
    """Return all heads, those next to each other that are most alike, the best pair first.

    >>> _pairs(torch.tensor([[1.0, 0.1, 0.9, 0.2], [0.1, 1.0, 0.2, 0.3], [0.9, 0.2, 1.0, 0.8], [0.2, 0.3, 0.8, 1.0]]))
    [0, 2, 1, 3]
    """
    left = alike.clone().fill_diagonal_(-torch.inf)
    order: list[int] = []
    for _ in range(len(alike) // 2):
        pair = list(divmod(int(left.argmax()), len(alike)))
        order += pair
        left[pair] = -torch.inf
        left[:, pair] = -torch.inf
    return order


def _join_heads(weights: dict[str, Tensor], layer: str, alike: Tensor) -> None:
    """Bring heads that are joined side by side; scores are divided by the root of a size that doubles."""
    total = len(weights[f"{layer}attention.self.query.bias"])
    size = total // len(alike)
    places = torch.cat([torch.arange(head * size, (head + 1) * size) for head in _pairs(alike)])
    for part in ("query", "key", "value"):
        for kind in ("weight", "bias"):
            name = f"{layer}attention.self.{part}.{kind}"
            factor = _JOINED * 2**0.5 if part == "query" else 1.0
            weights[name] = weights[name][places] * factor
    name = f"{layer}attention.output.dense.weight"
    weights[name] = weights[name][:, places]


def _keep_neurons(weights: dict[str, Tensor], layer: str, moved: Tensor, count: int) -> None:
    places = moved.topk(count).indices.sort().values
    for kind in ("weight", "bias"):
        name = f"{layer}intermediate.dense.{kind}"
        weights[name] = weights[name][places]
    name = f"{layer}output.dense.weight"
    weights[name] = weights[name][:, places]


def _renumbered(weights: dict[str, Tensor], kept: Sequence[int]) -> Iterator[tuple[str, Tensor]]:
    for name, value in weights.items():
        found = _LAYER.search(name)
        if found is None:
            yield name, value
        elif int(found[1]) in kept:
            yield name.replace(found[0], f".encoder.layer.{kept.index(int(found[1]))}."), value
