"""Checkpoints of a run: weights and optimizer state as safetensors, and how far the run had come.

A checkpoint is a folder that is complete once its ``state.json`` is there, which is written last: a kill or a full disk
leaves the one before whole. Nothing drawn at random needs to be kept, since everything is drawn from seed and step.
Weights and moments are gathered from all processes, so that a run goes on with any number of them.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_optimizer_state_dict,
    set_model_state_dict,
    set_optimizer_state_dict,
)

from secondpass.errors import StoreError

_STATE, _WEIGHTS, _MOMENTS = "state.json", "weights.safetensors", "optimizer.safetensors"
_NAMES = "step-"
_WHOLE = StateDictOptions(full_state_dict=True, cpu_offload=True, ignore_frozen_params=True)
"""What is not trained is not kept: it is that of the model that the run started from."""


def save_checkpoint(folder: Path, step: int, module: nn.Module, optimizer: Any, state: dict[str, Any] | None) -> None:
    """Write the checkpoint of ``step`` below ``folder``; without an optimizer its weights alone.

    All processes take part; the one whose ``state`` is not None writes.

    Raises:
        StoreError: the disk is full or cannot be written; the checkpoint before is untouched.
    """
    weights = trained_weights(module)
    moments: dict[str, Any] = get_optimizer_state_dict(module, optimizer, options=_WHOLE) if optimizer else {}
    if state is None:
        return
    place = folder / f"{_NAMES}{step:08d}"
    kept = moments.get("state", {})
    flat = {f"{name}/{key}": value for name, values in kept.items() for key, value in values.items()}
    try:
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        for file, tensors in ((_WEIGHTS, weights), (_MOMENTS, flat)):
            if tensors:
                save_file({name: _own(value) for name, value in tensors.items()}, place / file)
                _to_disk(place / file)
        partial = place / f"{_STATE}.part"
        partial.write_text(json.dumps({"step": step, **state}, ensure_ascii=False), encoding="utf-8")
        _to_disk(partial)
        os.replace(partial, place / _STATE)
    except (OSError, SafetensorError) as error:
        shutil.rmtree(place, ignore_errors=True)
        raise StoreError(
            f"The checkpoint of step {step} cannot be written to {folder} ({error}); the one before is whole. Make "
            "room and go on with --resume."
        ) from error


def keep_only(folder: Path, step: int) -> None:
    """Remove all checkpoints below ``folder`` but that of ``step``."""
    for place in _all(folder):
        if place.name != f"{_NAMES}{step:08d}":
            shutil.rmtree(place, ignore_errors=True)


def latest_checkpoint(folder: Path) -> Path | None:
    """Return the newest complete checkpoint below ``folder``, or None."""
    return max((place for place in _all(folder) if (place / _STATE).is_file()), default=None)


def checkpoint_of(folder: Path, step: int) -> Path | None:
    """Return the checkpoint of ``step`` below ``folder``, or None where there is no complete one."""
    place = folder / f"{_NAMES}{step:08d}"
    return place if (place / _STATE).is_file() else None


def read_state(place: Path) -> dict[str, Any]:
    """Return what was kept beside the weights of a checkpoint."""
    state: dict[str, Any] = json.loads((place / _STATE).read_text(encoding="utf-8"))
    return state


def load_checkpoint(place: Path, module: nn.Module, optimizer: Any) -> None:
    """Put a checkpoint's weights, and moments where there is an optimizer, where they belong; on every process."""
    options = StateDictOptions(full_state_dict=True, strict=False)
    weights: dict[str, Any] = dict(load_file(place / _WEIGHTS))
    set_model_state_dict(module, weights, options=options)
    if not optimizer:
        return
    moments: dict[str, Any] = {}
    for name, value in load_file(place / _MOMENTS).items():
        parameter, _, key = name.rpartition("/")
        moments.setdefault(parameter, {})[key] = value
    now = get_optimizer_state_dict(module, optimizer, options=options)
    set_optimizer_state_dict(module, optimizer, {**now, "state": moments}, options=options)


def trained_weights(module: nn.Module) -> dict[str, Any]:
    """Return the trained weights of all processes, on the CPU, by their names; all processes take part."""
    return dict(get_model_state_dict(module, options=_WHOLE))


def _own(value: Any) -> Tensor:
    """Return a tensor that shares its memory with no other: tied weights are written each for itself."""
    return torch.as_tensor(value).detach().clone(memory_format=torch.contiguous_format)


def _all(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"{_NAMES}*")) if folder.is_dir() else []


def _to_disk(path: Path) -> None:
    with open(path, "rb+") as file:
        os.fsync(file.fileno())
