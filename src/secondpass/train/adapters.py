"""LoRA: updates of low rank beside the weights of a model, which alone are trained (arXiv:2106.09685), by peft."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model

from secondpass.errors import InputError
from secondpass.train.options import TrainOptions

_ALL = "all-linear"
"""Every linear layer but the head, as peft names it: attention and feed-forward of any architecture."""


def add_adapter(model: Any, options: TrainOptions) -> Callable[[Path], Any]:
    """Put updates beside the layers of ``model``, in place; its own weights no longer learn.

    Returns what writes the updates into a folder as peft's adapter, and returns the model with the updates added to
    its weights: W + (alpha / rank) B A.

    Raises:
        InputError: the model has no layers of the given names.
    """
    if options.lora_dropout >= 1:
        raise InputError(f"lora_dropout is {options.lora_dropout:g}; accepted is a share from 0 to below 1.")
    torch.manual_seed(options.seed)  # A is drawn at random, B is zero
    targets = [name.strip() for name in options.lora_targets.split(",") if name.strip()]
    config = LoraConfig(
        task_type="CAUSAL_LM",
        r=options.lora_rank,
        lora_alpha=options.lora_alpha or 2 * options.lora_rank,  # type: ignore[arg-type]
        lora_dropout=options.lora_dropout,
        target_modules=targets or _ALL,
    )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # peft asks transformers for something by its old name
            wrapped = get_peft_model(model, config)
        wrapped.peft_config["default"].base_model_name_or_path = options.model  # not where it lies on this machine
    except ValueError as error:
        layers = sorted(
            {name.rpartition(".")[2] for name, part in model.named_modules() if hasattr(part, "in_features")}
        )
        raise InputError(
            f"lora_targets is {options.lora_targets!r}, and the model has no such layers; its layers are "
            f"{', '.join(layers)}."
        ) from error

    def merged(place: Path) -> Any:
        wrapped.save_pretrained(str(place), safe_serialization=True)
        return wrapped.merge_and_unload()

    return merged
