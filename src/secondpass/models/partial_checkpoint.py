"""Read what is needed of a checkpoint whose own code is not run: its configuration, and some of its tensors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from secondpass.errors import InputError


class CheckpointConfig:
    """The fields of a folder's config.json."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "config.json"
        try:
            content = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(f"{self._path} cannot be read: {error}") from error
        if not isinstance(content, dict):
            raise InputError(f"{self._path} holds no object; a model's configuration is one.")
        self.fields: Mapping[str, Any] = content

    def number(self, name: str) -> float:
        """Return a field that must be a number."""
        value = self.fields.get(name)
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise InputError(f"{self._path} has {name} = {value!r}; this kind of model needs a number there.")
        return value

    def count(self, name: str) -> int:
        """Return a field that must be a whole number."""
        return int(self.number(name))

    def require(self, name: str, *accepted: object) -> None:
        """Refuse a checkpoint that is computed in a way that is not known here."""
        value = self.fields.get(name, accepted[0])
        if value not in accepted:
            raise InputError(f"{self._path} has {name} = {value!r}; accepted is {' or '.join(map(repr, accepted))}.")

    def check_cutoff(self, cutoff_layer: int) -> None:
        """Refuse a layer without a head."""
        first, last, step = self.count("start_layer"), self.count("num_hidden_layers"), self.fields.get("layer_sep", 1)
        if cutoff_layer not in range(first, last + 1, int(step)):
            raise InputError(
                f"cutoff_layer is {cutoff_layer}; the model in {self._path.parent} gives scores after layers {first} "
                f"to {last}" + (f", every {step}th." if int(step) > 1 else ".")
            )


def read_tensors(folder: Path, wanted: Mapping[str, str]) -> dict[str, torch.Tensor]:
    """Return the tensors named by the keys of ``wanted``, in float32, under the names that are its values."""
    found: dict[str, torch.Tensor] = {}
    files = sorted(folder.glob("*.safetensors"))
    for path in files:
        try:
            with safe_open(path, framework="pt") as file:
                for name in wanted.keys() & set(file.keys()):
                    found[wanted[name]] = file.get_tensor(name).float()
        except (OSError, SafetensorError) as error:
            raise InputError(f"{path} cannot be read: {error}") from error
    missing = [name for name, new in wanted.items() if new not in found]
    if missing:
        raise InputError(
            f"{folder} has {len(files)} safetensors files and not the tensor {missing[0]!r}"
            + (f" ({len(missing)} are missing)." if len(missing) > 1 else ".")
        )
    return found
