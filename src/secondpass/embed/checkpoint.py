"""Look at a model's folder before it is loaded: whether it is an embedder, and which one exactly."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from secondpass.errors import InputError

_BLOCKS, _BLOCK_BYTES = 64, 4096
WEIGHTS = "*.safetensors"


def check_is_embedder(name: str, config: dict[str, Any]) -> None:
    """Refuse what is no bi-encoder.

    Raises:
        InputError: the model scores pairs (a cross-encoder), or needs code that comes with it.
    """
    architectures = [str(architecture) for architecture in config.get("architectures") or ()]
    if any(architecture.endswith("ForSequenceClassification") for architecture in architectures):
        raise InputError(
            f"{name} is a cross-encoder ({', '.join(architectures)}): it scores a question and a passage together "
            "and has no vectors. Use it as a reranker, and a bi-encoder such as BAAI/bge-m3 as embedder."
        )
    if any(architecture.endswith("ForCausalLM") for architecture in architectures):
        raise InputError(
            f"{name} is a text generator ({', '.join(architectures)}), not an embedder; "
            "use a bi-encoder such as BAAI/bge-m3."
        )


def check_folder(folder: Path) -> None:
    """Refuse a folder that cannot be loaded safely.

    Raises:
        InputError: it holds no ``config.json``, no safetensors weights, or no bi-encoder.
    """
    config = folder / "config.json"
    if not config.is_file() and not (folder / "modules.json").is_file():
        found = ", ".join(sorted(path.name for path in folder.iterdir())[:8]) or "nothing"
        raise InputError(f"{folder} is no model folder: there is no config.json in it (found: {found}).")
    if config.is_file():
        try:
            content = json.loads(config.read_text(encoding="utf-8"))
        except ValueError as error:
            raise InputError(f"{config} is not JSON: {error}.") from error
        check_is_embedder(str(folder), content)
    if not any(folder.rglob(WEIGHTS)):
        raise InputError(
            f"{folder} holds no safetensors weights; other formats can run code when they are read and are not loaded. "
            "Most models have a safetensors version beside them."
        )


def fingerprint(folder: Path) -> str:
    """Return 16 hexadecimal digits that change when weights or tokenizer change.

    Of large files the length and 64 blocks spread over them are read, not all: fine-tuning changes every layer.
    """
    digest = hashlib.sha256()
    for path in sorted([*folder.rglob(WEIGHTS), *folder.rglob("*.json"), *folder.rglob("vocab.txt")]):
        size = path.stat().st_size
        digest.update(f"{path.relative_to(folder).as_posix()}:{size}".encode())
        with path.open("rb") as file:
            for block in range(_BLOCKS):
                file.seek(max(0, size - _BLOCK_BYTES) * block // max(1, _BLOCKS - 1))
                digest.update(file.read(_BLOCK_BYTES))
    return digest.hexdigest()[:16]
