"""The parts that a model of sentence-transformers is made of, as its modules.json lists them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from secondpass.errors import InputError


def module_types(folder: Path) -> list[str]:
    """Return the class names of the modules in their order; none where there is no modules.json."""
    return [str(module.get("type", "")).rpartition(".")[2] for module in _modules(folder)]


def module_paths(folder: Path) -> list[str]:
    """Return the folders of the modules, relative to ``folder`` (``""``: itself); none leads out of it."""
    paths = [str(module.get("path") or "") for module in _modules(folder)]
    root = folder.resolve()
    return [path for path in paths if (folder / path).is_dir() and (folder / path).resolve().is_relative_to(root)]


def transformer_folder(folder: Path) -> Path:
    """Return the folder of the encoder: the first module's, or ``folder`` itself."""
    if (folder / "config.json").is_file():
        return folder
    path = next((str(module.get("path") or "") for module in _modules(folder)), "")
    inner = folder / path
    return inner if inner.is_dir() and inner.resolve().is_relative_to(folder.resolve()) else folder


def _modules(folder: Path) -> list[dict[str, Any]]:
    path = folder / "modules.json"
    if not path.is_file():
        return []
    try:
        modules = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path} is not JSON: {error}.") from error
    if not isinstance(modules, list) or not all(isinstance(module, dict) for module in modules):
        raise InputError(f"{path} is no list of modules.")
    return modules
