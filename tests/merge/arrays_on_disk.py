"""Arrays as a merge sees them: in files, and with blocks so small that a tensor has several."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from secondpass.merge.methods import MergeMethod
from secondpass.merge.tensor_files import AlignedTensor, read_tensors

Array = np.ndarray


def aligned(place: Path, parents: Sequence[Array], base: Array | None = None, key: str = "w") -> AlignedTensor:
    """Write arrays to files and return them as one tensor of several models."""
    place.mkdir(parents=True, exist_ok=True)
    stored = []
    for index, array in enumerate([*parents, *([] if base is None else [base])]):
        path = place / f"{key}{index}.safetensors"
        save_file({key: np.ascontiguousarray(array, dtype=np.float32)}, path)
        stored.append(read_tensors(path)[key])
    return AlignedTensor(key, tuple(stored[: len(parents)]), None if base is None else stored[-1])


def merged(method: MergeMethod, tensor: AlignedTensor) -> Array:
    """Return the whole merged tensor, float32 [N]."""
    return np.concatenate([block.copy() for block in method.prepared([tensor]).blocks(tensor)])
