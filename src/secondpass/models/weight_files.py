"""The weight files of a model's folder: which there are, whether they are whole, and what tells one model from another.

Nothing but the headers and samples of the files is read, so that a model of two gigabytes takes milliseconds.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from secondpass.errors import InputError

SHIPPED_FILES = ("model.onnx", "onnx/model.onnx")
SPANS_FILE = "spans.safetensors"
"""The evidence head of a classifier, see `span_head`."""
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".h5", ".msgpack")
# What besides the weights changes a score.
_SETTINGS = (
    "config.json", "modules.json", "config_sentence_transformers.json", "sentence_bert_config.json",
    "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.txt",
    "vocab.json", "merges.txt", "*.model", "artifact.metadata", "chat_template.jinja",
)  # fmt: skip
_BLOCKS, _BLOCK_BYTES, _TENSOR_BYTES = 64, 4096, 256
_WHOLE_BYTES = _BLOCKS * _BLOCK_BYTES
_MAX_HEADER_BYTES = 100_000_000  # the limit of the safetensors format
_LFS_POINTER = b"version https://git-lfs"


@dataclass(frozen=True, slots=True)
class Tensor:
    """Where a tensor of a safetensors file lies (``[start, end)`` in bytes of the file) and its shape."""

    shape: tuple[int, ...]
    start: int
    end: int


def safetensors_files(folder: Path) -> list[Path]:
    """Return the safetensors files of a folder and of the module folders in it."""
    return sorted([*folder.glob("*.safetensors"), *folder.glob("*/*.safetensors")])


def onnx_files(folder: Path) -> list[Path]:
    """Return the ONNX graphs of a folder and of the folders in it."""
    return sorted([*folder.glob("*.onnx"), *folder.glob("*/*.onnx")])


def shipped_file(folder: Path) -> Path | None:
    """Return the ONNX graph of a model folder that is run as it is, None where there is none."""
    return next((folder / name for name in SHIPPED_FILES if (folder / name).is_file()), None)


def pickle_files(folder: Path) -> list[Path]:
    """Return the weight files in formats that can run code when they are read."""
    return sorted(path for path in folder.glob("*") if path.suffix in PICKLES and path.is_file())


def read_header(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a safetensors file by name.

    Raises:
        InputError: the file is cut short, is a pointer of Git LFS, or is no safetensors file.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        first = file.read(len(_LFS_POINTER))
        if first == _LFS_POINTER:
            raise InputError(
                f"{path} cannot be loaded: it is a pointer of Git LFS, not the weights; run `git lfs pull` in "
                "its folder."
            )
        length = int.from_bytes(first[:8], "little")
        if len(first) < 8 or length > min(size - 8, _MAX_HEADER_BYTES):
            raise _broken(path, size)
        file.seek(8)
        tensors = _tensors(path, file.read(length), size)
    if max((tensor.end for tensor in tensors.values()), default=8 + length) != size:
        raise _broken(path, size)
    return tensors


def _tensors(path: Path, header: bytes, size: int) -> dict[str, Tensor]:
    try:
        entries = json.loads(header)
        return {
            name: Tensor(
                tuple(entry["shape"]),
                8 + len(header) + entry["data_offsets"][0],
                8 + len(header) + entry["data_offsets"][1],
            )
            for name, entry in entries.items()
            if name != "__metadata__"
        }
    except (ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
        raise _broken(path, size) from error


def _broken(path: Path, size: int) -> InputError:
    return InputError(
        f"{path} cannot be loaded: it is cut short or no safetensors file ({size:,} bytes); fetch the model again."
    )


def fingerprint(folder: Path) -> str:
    """Return 16 hexadecimal digits that change when the weights, the tokenizer or the settings change.

    Of a large file the length, 64 blocks spread over it, and three places of every tensor are read, so that a training
    of the last layer alone is seen. A copy of the folder has the same fingerprint.
    """
    digest = hashlib.sha256()
    weights = safetensors_files(folder) or onnx_files(folder)
    settings = {path for pattern in _SETTINGS for path in (*folder.glob(pattern), *folder.glob(f"*_*/{pattern}"))}
    for path in sorted({*weights, *settings}):
        digest.update(f"{path.relative_to(folder).as_posix()}:{path.stat().st_size}\n".encode())
        for part in _samples(path):
            digest.update(part)
    return digest.hexdigest()[:16]


def _samples(path: Path) -> Iterator[bytes]:
    size = path.stat().st_size
    tensors: Mapping[str, Tensor] = {}
    if size > _WHOLE_BYTES and path.suffix == ".safetensors":
        tensors = read_header(path)
    with path.open("rb") as file:
        if size <= _WHOLE_BYTES:
            yield file.read()
            return
        first_byte = min((tensor.start for tensor in tensors.values()), default=0)
        yield file.read(first_byte)
        for block in range(_BLOCKS):
            yield _read(file, (size - _BLOCK_BYTES) * block // (_BLOCKS - 1), _BLOCK_BYTES)
        for tensor in tensors.values():
            length = tensor.end - tensor.start
            for start in (tensor.start, tensor.start + length // 2, tensor.end - min(length, _TENSOR_BYTES)):
                yield _read(file, start, min(_TENSOR_BYTES, tensor.end - start))


def _read(file: BinaryIO, start: int, length: int) -> bytes:
    file.seek(start)
    return file.read(length)
