"""Write safetensors files whose tensors come block by block: the header is known before any number is."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path

from secondpass.errors import InputError
from secondpass.merge.floats import RawArray, item_bytes

Produce = Callable[[str], Iterable[RawArray]]
"""The name of a tensor to its bits, block by block."""


@dataclass(frozen=True, slots=True)
class TensorForm:
    """A tensor that will be written."""

    name: str
    kind: str
    shape: tuple[int, ...]

    @property
    def bytes(self) -> int:
        """What it will take."""
        return prod(self.shape) * item_bytes(self.kind)


def shards_of(forms: Sequence[TensorForm], shard_bytes: int) -> list[list[TensorForm]]:
    """Cut tensors, in their order, into files of at most ``shard_bytes``; a larger tensor is a file of its own."""
    shards: list[list[TensorForm]] = [[]]
    filled = 0
    for form in forms:
        if shards[-1] and filled + form.bytes > shard_bytes:
            shards.append([])
            filled = 0
        shards[-1].append(form)
        filled += form.bytes
    return shards


def write_sharded(folder: Path, stem: str, forms: Sequence[TensorForm], shard_bytes: int, produce: Produce) -> None:
    """Write ``STEM.safetensors``, or several files and ``STEM.safetensors.index.json``, as transformers names them."""
    shards = shards_of(forms, shard_bytes)
    if len(shards) == 1:
        _write_file(folder / f"{stem}.safetensors", shards[0], produce)
        return
    places: dict[str, str] = {}
    for number, shard in enumerate(shards, start=1):
        name = f"{stem}-{number:05}-of-{len(shards):05}.safetensors"
        _write_file(folder / name, shard, produce)
        places |= {form.name: name for form in shard}
    index = {"metadata": {"total_size": sum(form.bytes for form in forms)}, "weight_map": places}
    (folder / f"{stem}.safetensors.index.json").write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")


def _write_file(path: Path, forms: Sequence[TensorForm], produce: Produce) -> None:
    # Wide numbers first, so that every tensor lies where its numbers are aligned, as safetensors itself writes.
    ordered = sorted(forms, key=lambda form: -item_bytes(form.kind))
    with path.open("wb", buffering=0) as file:
        file.write(_header(ordered))
        for form in ordered:
            written = 0
            for raw in produce(form.name):
                view = raw.data.cast("B")
                while view:
                    done = file.write(view)
                    written += done
                    view = view[done:]
            if written != form.bytes:
                raise InputError(f"{form.name} would have {written:,} bytes instead of {form.bytes:,}; merge again.")


def _header(forms: Sequence[TensorForm]) -> bytes:
    entries: dict[str, object] = {"__metadata__": {"format": "pt"}}
    end = 0
    for form in forms:
        start, end = end, end + form.bytes
        entries[form.name] = {"dtype": form.kind, "shape": list(form.shape), "data_offsets": [start, end]}
    text = json.dumps(entries, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text
