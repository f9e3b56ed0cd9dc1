"""The weights of a model folder as float32 arrays, without torch: mapped, and read no sooner than they are used.

safetensors gives numpy no bfloat16 and copies whole tensors; here a tensor is a view into the mapped file, so that of
an embedding table of 250,000 rows only those are read that a text needs.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import safe_open

from secondpass.errors import InputError
from secondpass.models.jina_layout import usual_places
from secondpass.models.weight_files import read_header
from secondpass.types import FloatArray

_SINGLE, _INDEX = "model.safetensors", "model.safetensors.index.json"
_DTYPES: dict[str, npt.DTypeLike] = {"F64": np.float64, "F32": np.float32, "F16": np.float16, "BF16": np.uint16}
_OLD_NAMES = {"LayerNorm.gamma": "LayerNorm.weight", "LayerNorm.beta": "LayerNorm.bias"}  # from TensorFlow checkpoints


@dataclass(frozen=True, slots=True, eq=False)
class Weight:
    """A tensor as it lies in its file: ``raw`` has the file's numbers, bfloat16 as uint16."""

    raw: npt.NDArray[Any]

    def read(self) -> FloatArray:
        """Return the whole tensor as float32."""
        return _widened(self.raw)

    def rows(self, ids: npt.NDArray[np.int64] | slice) -> FloatArray:
        """Return the rows ``ids`` (int64 [T], or a slice) as float32 [T, D]; nothing else is read from the file."""
        return _widened(self.raw[ids])


class Weights:
    """The tensors of a model folder by name; those in jina's layout by the names that XLM-R gives them elsewhere.

    Raises:
        InputError: there are no safetensors weights, or they cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        stored: dict[str, Weight] = {}
        for file in _files(folder):
            stored |= read_tensors(file)
        self._weights = {
            name: Weight(raw[place.rows(len(raw))] if place.count > 1 else raw)
            for name, place in usual_places(stored).items()
            for raw in (stored[place.name].raw,)
        }

    def __contains__(self, name: str) -> bool:
        return name in self._weights

    def prefix_of(self, suffix: str) -> str:
        """Return what stands before ``suffix`` in the names; the shortest where there are several.

        Raises:
            InputError: no name ends so.
        """
        prefixes = [name.removesuffix(suffix) for name in self._weights if name.endswith(suffix)]
        if not prefixes:
            raise InputError(
                f"The weights in {self.folder} hold no {suffix}; they are not those of the architecture in config.json."
            )
        return min(prefixes, key=len)

    def weight(self, name: str) -> Weight:
        """Return the tensor ``name`` as it lies in the file.

        Raises:
            InputError: there is none.
        """
        if name not in self._weights:
            raise InputError(f"The weights in {self.folder} hold no {name!r}, which the model's architecture has.")
        return self._weights[name]

    def read(self, name: str) -> FloatArray:
        """Return the tensor ``name`` as float32."""
        return self.weight(name).read()


def has_weights(folder: Path) -> bool:
    """Say whether ``folder`` holds weights that `Weights` reads."""
    return (folder / _SINGLE).is_file() or (folder / _INDEX).is_file()


def _files(folder: Path) -> list[Path]:
    names = [_SINGLE]
    if not (folder / _SINGLE).is_file() and (folder / _INDEX).is_file():
        names = sorted(set(json.loads((folder / _INDEX).read_text(encoding="utf-8"))["weight_map"].values()))
    for name in names:
        if not (folder / name).is_file():
            raise InputError(f"The model folder {folder} has no {name}; only safetensors weights are read.")
    return [folder / name for name in names]


def read_tensors(file: Path) -> dict[str, Weight]:
    """Return the tensors of a safetensors file by name, mapped; those of a type that is no number here are left out.

    Raises:
        InputError: the file cannot be read.
    """
    places = read_header(file)
    data = np.asarray(np.memmap(file, dtype=np.uint8, mode="r"))  # looking rows up in a memmap itself is slow
    weights = {}
    with safe_open(file, framework="numpy") as opened:
        for name, place in places.items():
            kind = opened.get_slice(name).get_dtype()
            if kind in _DTYPES:
                raw = data[place.start : place.end]
                if raw.ctypes.data % np.dtype(_DTYPES[kind]).itemsize:  # a header of odd length: numpy wants alignment
                    raw = raw.copy()
                weights[_modern(name)] = Weight(raw.view(_DTYPES[kind]).reshape(place.shape))
    return weights


def _modern(name: str) -> str:
    return next((name.removesuffix(old) + new for old, new in _OLD_NAMES.items() if name.endswith(old)), name)


def _widened(raw: npt.NDArray[Any]) -> FloatArray:
    if raw.dtype == np.uint16:  # bfloat16 is the upper half of a float32
        wide = raw.astype(np.uint32)
        wide <<= 16
        return wide.view(np.float32)
    return np.asarray(raw, dtype=np.float32)
