"""Whether a folder holds a whole model that can be read safely; if not, the one sentence that says what is missing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from secondpass.errors import InputError
from secondpass.models.weight_files import onnx_files, pickle_files, read_header, safetensors_files

_TOKENIZERS = ("tokenizer.json", "vocab.txt", "vocab.json", "*.model")
_SHARDS = "*.safetensors.index.json"


def check_folder(folder: Path) -> None:
    """Refuse a folder that does not hold a whole model in a safe format.

    Raises:
        InputError: what is missing, and what to do.
    """
    if missing := not_downloaded(folder):
        raise InputError(f"The model at {folder} is incomplete: {missing} was not downloaded; fetch it again.")
    if not (folder / "config.json").is_file() and not (folder / "modules.json").is_file():
        raise InputError(f"{folder} is no model folder: there is no config.json in it (found: {_found(folder)}).")
    _check_shards(folder)
    weights = safetensors_files(folder)
    if not weights and not onnx_files(folder):
        raise _no_weights(folder)
    for path in weights:
        read_header(path)
    if not any(any(folder.glob(f"{place}{name}")) for name in _TOKENIZERS for place in ("", "*/")):
        raise InputError(
            f"The model at {folder} has no tokenizer: tokenizer.json is missing; fetch the model again, or save the "
            "tokenizer of its base model there."
        )


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file; an empty one where there is no such file.

    Raises:
        InputError: the file is not JSON, or no object.
    """
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path} is not JSON: {error}.") from error
    if not isinstance(content, dict):
        raise InputError(f"{path} holds no object but {type(content).__name__}; a model's settings are an object.")
    return content


def pickles_only(where: str, names: Sequence[str]) -> InputError:
    """Return the refusal of a model without safe weights."""
    return InputError(
        f"{where} has its weights only as pickles ({', '.join(names)}): it holds no safetensors weights; pickles can "
        "run code when they are read and are not loaded. Use another version of the model, or convert it once where "
        "you trust it (transformers: save_pretrained)."
    )


def download_record(snapshot: Path) -> Path:
    """Return the place of the list of files that a download into a Hugging Face cache has yet to complete."""
    return snapshot.parent.parent / f".secondpass-{snapshot.name}.json"


def not_downloaded(folder: Path) -> str:
    """Return a file that an interrupted download left out, or nothing."""
    record = download_record(folder)
    if not record.is_file():
        return ""
    wanted = read_json(record).get("files", [])
    return next((str(name) for name in wanted if not (folder / str(name)).is_file()), "")


def _check_shards(folder: Path) -> None:
    for index in folder.glob(_SHARDS):
        shards = sorted(set(read_json(index).get("weight_map", {}).values()))
        for shard in shards:
            if not (folder / str(shard)).is_file():
                raise InputError(
                    f"The model at {folder} is incomplete: {shard}, one of {len(shards)} weight files, is missing; "
                    "fetch it again."
                )


def _no_weights(folder: Path) -> InputError:
    if pickles := pickle_files(folder):
        return pickles_only(f"The model at {folder}", [path.name for path in pickles])
    return InputError(
        f"The model at {folder} holds no safetensors weights and no ONNX file: model.safetensors is missing "
        f"(found: {_found(folder)}); fetch it again."
    )


def _found(folder: Path) -> str:
    return ", ".join(sorted(path.name for path in folder.iterdir())[:8]) or "nothing"
