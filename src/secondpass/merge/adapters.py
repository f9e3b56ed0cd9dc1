"""Exact mixes of LoRA adapters: updates side by side, not factor by factor.

An adapter adds s_i B_i A_i to a matrix (LoRA, arXiv:2106.09685; s_i its alpha over its rank). The weighted sum of such
updates is itself one of the concatenated ranks: sum_i w_i s_i B_i A_i = [w_1 s_1 B_1 | w_2 s_2 B_2] [A_1; A_2]. The
mean of the factors, each by itself, is something else: (B_1 + B_2)(A_1 + A_2) has terms of both.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from secondpass.errors import InputError
from secondpass.merge.floats import FloatKind, RawArray, is_finite, narrowed
from secondpass.merge.parents import ADAPTER_CONFIG, Parent
from secondpass.merge.tensor_files import StoredTensor, read_part
from secondpass.merge.tensor_writer import TensorForm
from secondpass.models.model_folder import read_json
from secondpass.types import FloatArray

_FACTOR = re.compile(r"(?P<module>.+)\.(?P<factor>lora_A|lora_B|lora_embedding_A|lora_embedding_B)(?:\.weight)?$")
# What a sum of updates cannot say: other methods' tensors, and settings of which it can have but one.
_ALIKE = ("peft_type", "base_model_name_or_path", "bias", "fan_in_fan_out")


@dataclass(frozen=True, slots=True, eq=False)
class AdapterStack:
    """LoRA adapters of one base, to be written as one.

    ``rank`` is that of the result: what a matrix does not need of it is zero. ``weights``: one an adapter.
    """

    parents: tuple[Parent, ...]
    weights: tuple[float, ...]
    rank: int
    kind: FloatKind

    @classmethod
    def of(cls, parents: Sequence[Parent], weights: Sequence[float], kind: FloatKind | None = None) -> AdapterStack:
        """Return the stack of adapters that can be added up.

        Raises:
            InputError: they cannot; the message says why.
        """
        _check(parents)
        ranks: dict[str, int] = {}
        for parent in parents:
            for key, stored in parent.tensors.items():
                if _is_first(key):
                    ranks[key] = ranks.get(key, 0) + stored.shape[0]
        return cls(tuple(parents), tuple(weights), max(ranks.values()), kind or "F32")

    def forms(self) -> list[TensorForm]:
        """Return the tensors of the result."""
        found: dict[str, TensorForm] = {}
        for parent in self.parents:
            for key, stored in parent.tensors.items():
                found.setdefault(key, TensorForm(key, self.kind, self._shape(key, stored)))
        return list(found.values())

    def produce(self, key: str) -> Iterator[RawArray]:
        """Yield the bits of one tensor of the result."""
        match = _FACTOR.fullmatch(key)
        if match is None:
            yield self._written(key, self._mean(key))
            return
        axis = 0 if _is_first(key) else 1
        parts = []
        for parent, weight in zip(self.parents, self.weights, strict=True):
            if key in parent.tensors:
                factor = _read(parent.tensors[key])
                share = np.float32(weight * _scale(parent, match["module"])) if axis else np.float32(1)
                parts.append(factor * share)
        stacked = np.concatenate(parts, axis=axis)
        missing = [(0, self.rank - stacked.shape[axis] if place == axis else 0) for place in range(stacked.ndim)]
        yield self._written(key, np.pad(stacked, missing).reshape(-1))

    def config(self) -> dict[str, Any]:
        """Return the settings of the result: its scale is 1, its rank that of all together."""
        settings = [read_json(parent.folder / ADAPTER_CONFIG) for parent in self.parents]
        targets = [one.get("target_modules") for one in settings]
        joined: Any = targets[0]
        if all(isinstance(one, list) for one in targets):
            joined = sorted({str(name) for one in targets for name in one or ()})
        return settings[0] | {
            "r": self.rank, "lora_alpha": self.rank, "use_rslora": False, "rank_pattern": {}, "alpha_pattern": {},
            "target_modules": joined, "lora_dropout": 0.0, "inference_mode": True,
        }  # fmt: skip

    def write_config(self, folder: Path) -> None:
        """Write the settings of the result."""
        text = json.dumps(self.config(), indent=2, ensure_ascii=False)
        (folder / ADAPTER_CONFIG).write_text(text + "\n", encoding="utf-8")

    def _written(self, key: str, values: FloatArray) -> RawArray:
        raw = narrowed(values, self.kind)
        if not is_finite(raw, self.kind):
            raise InputError(
                f"{key} of the merged adapter holds nan or infinity: one of the adapters is damaged, or its numbers "
                f"are too large for {self.kind}; write it as f32."
            )
        return raw

    def _shape(self, key: str, stored: StoredTensor) -> tuple[int, ...]:
        if _FACTOR.fullmatch(key) is None:
            return stored.shape
        axis = 0 if _is_first(key) else 1
        return tuple(self.rank if place == axis else size for place, size in enumerate(stored.shape))

    def _mean(self, key: str) -> FloatArray:
        """Return the weighted mean of a tensor that adapters hold whole, such as a head that was trained too."""
        total = np.zeros(self.parents[0].tensors[key].size, np.float32)
        for parent, weight in zip(self.parents, self.weights, strict=True):
            total += np.float32(weight) * _read(parent.tensors[key]).reshape(-1)
        return total


def _is_first(key: str) -> bool:
    """Say whether a tensor is the factor that reads, A, whose first axis is the rank."""
    match = _FACTOR.fullmatch(key)
    return match is not None and match["factor"].endswith("A")


def _read(stored: StoredTensor) -> FloatArray:
    return read_part(stored, 0, stored.size).reshape(stored.shape)


def _scale(parent: Parent, module: str) -> float:
    """Return what an adapter's update of ``module`` is multiplied by (``use_rslora``: alpha over the rank's root)."""
    settings = read_json(parent.folder / ADAPTER_CONFIG)
    rank = next(
        stored.shape[0] for key, stored in parent.tensors.items() if key.startswith(f"{module}.") and _is_first(key)
    )
    alpha = float(settings.get("lora_alpha") or rank)
    for pattern, own in (settings.get("alpha_pattern") or {}).items():
        if re.match(rf"(.*\.)?({pattern})$", module):
            alpha = float(own)
    return alpha / (math.sqrt(rank) if settings.get("use_rslora") else rank)


def _check(parents: Sequence[Parent]) -> None:
    first, *others = parents
    settings = {parent.name: read_json(parent.folder / ADAPTER_CONFIG) for parent in parents}
    for parent in parents:
        own = settings[parent.name]
        unknown = [key for key in parent.tensors if "magnitude" in key or "lora_bias" in key]
        if own.get("peft_type") not in (None, "LORA") or own.get("use_dora") or unknown:
            raise InputError(
                f"{parent.name} is no plain LoRA adapter ({unknown[0] if unknown else own.get('peft_type')}); its "
                "update is no product of two matrices. Merge it into its model first (peft: merge_and_unload)."
            )
        if not any(_is_first(key) for key in parent.tensors):
            raise InputError(f"{parent.name} holds no update (lora_A, lora_B); train or fetch it again.")
    for other in others:
        lines = [
            f"{ADAPTER_CONFIG}: {key} is {settings[first.name].get(key)} in {first.name}, "
            f"{settings[other.name].get(key)} in {other.name}"
            for key in _ALIKE
            if (settings[first.name].get(key) or None) != (settings[other.name].get(key) or None)
        ]
        lines += _other_shapes(first, other)
        if lines:
            listed = "".join(f"\n  {line}" for line in lines[:20])
            raise InputError(
                f"{other.name} cannot be added to {first.name}; accepted are LoRA adapters of one base, of any rank "
                f"and with any targets.{listed}"
            )


def _other_shapes(first: Parent, other: Parent) -> Iterator[str]:
    """Yield what cannot be added up: matrices of other sizes, and whole tensors that one of the two lacks."""
    for key in dict.fromkeys([*first.tensors, *other.tensors]):
        mine, theirs = first.tensors.get(key), other.tensors.get(key)
        factor = _FACTOR.fullmatch(key) is not None
        if mine is None or theirs is None:
            if not factor:
                yield f"{key}: only in {first.name if mine else other.name}"
            continue
        axis = (0 if _is_first(key) else 1) if factor else -1
        a, b = ([size for place, size in enumerate(one.shape) if place != axis] for one in (mine, theirs))
        if a != b:
            yield f"{key}: {list(mine.shape)} in {first.name}, {list(theirs.shape)} in {other.name}"
