"""Checkpoints of a run: weights and optimizer state as safetensors, and how far the run had come.

A checkpoint is a folder that is complete once its ``state.json`` is there, which is written last: a kill or a full disk
leaves the one before whole. Nothing drawn at random needs to be kept, since everything is drawn from seed and step.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from secondpass.errors import StoreError

_STATE, _WEIGHTS, _MOMENTS = "state.json", "weights.safetensors", "optimizer.safetensors"
_NAMES = "step-"


def save_checkpoint(folder: Path, step: int, model: nn.Module, optimizer: torch.optim.AdamW, state: Any) -> None:
    """Write the checkpoint of ``step`` below ``folder``, and remove older ones.

    Raises:
        StoreError: the disk is full or cannot be written; the checkpoint before is untouched.
    """
    place = folder / f"{_NAMES}{step:08d}"
    try:
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        save_file({name: value.contiguous() for name, value in model.state_dict().items()}, place / _WEIGHTS)
        save_file(_moments(model, optimizer), place / _MOMENTS)
        for file in (_WEIGHTS, _MOMENTS):
            _to_disk(place / file)
        partial = place / f"{_STATE}.part"
        partial.write_text(json.dumps({"step": step, **state}), encoding="utf-8")
        _to_disk(partial)
        os.replace(partial, place / _STATE)
    except Exception as error:
        shutil.rmtree(place, ignore_errors=True)
        raise StoreError(
            f"The checkpoint of step {step} cannot be written to {folder} ({error}); the one before is whole. Make "
            "room and go on with --resume."
        ) from error
    for old in _all(folder):
        if old != place:
            shutil.rmtree(old, ignore_errors=True)


def latest_checkpoint(folder: Path) -> Path | None:
    """Return the newest complete checkpoint below ``folder``, or None."""
    complete = [place for place in _all(folder) if (place / _STATE).is_file()]
    return max(complete, default=None)


def read_state(place: Path) -> dict[str, Any]:
    """Return what was kept beside the weights of a checkpoint."""
    state: dict[str, Any] = json.loads((place / _STATE).read_text(encoding="utf-8"))
    return state


def load_checkpoint(place: Path, model: nn.Module, optimizer: torch.optim.AdamW) -> None:
    """Put a checkpoint's weights and moments where they belong."""
    model.load_state_dict(load_file(place / _WEIGHTS))
    moments = load_file(place / _MOMENTS)
    for name, parameter in model.named_parameters():
        kept = {
            key: moments[f"{name}/{key}"] for key in ("step", "exp_avg", "exp_avg_sq") if f"{name}/{key}" in moments
        }
        if kept:
            optimizer.state[parameter] = {
                key: value if key == "step" else value.to(parameter.device) for key, value in kept.items()
            }


def _moments(model: nn.Module, optimizer: torch.optim.AdamW) -> dict[str, Tensor]:
    return {
        f"{name}/{key}": value.detach().contiguous()
        for name, parameter in model.named_parameters()
        for key, value in optimizer.state.get(parameter, {}).items()
    }


def _all(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"{_NAMES}*")) if folder.is_dir() else []


def _to_disk(path: Path) -> None:
    with open(path, "rb+") as file:
        os.fsync(file.fileno())
