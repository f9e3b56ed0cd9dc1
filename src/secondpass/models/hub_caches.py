"""Where the caches of Hugging Face and ModelScope lie, and which models are in them; read only, without their packages.

Layouts: ``models--OWNER--NAME/snapshots/COMMIT`` with ``refs/main`` (Hugging Face); ``models/OWNER--NAME/snapshots/
REVISION``, ``models/OWNER/NAME`` and, from older versions, ``OWNER/NAME``, each also below ``hub/``, with the dots of
the name written as ``___`` (ModelScope).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Hub = Literal["huggingface", "modelscope"]
HUB_NAMES: dict[Hub, str] = {"huggingface": "Hugging Face", "modelscope": "ModelScope"}
ESCAPED_DOT = "___"
_MODELS_PREFIX = "models--"


@dataclass(frozen=True, slots=True)
class CachedModel:
    """A model in a cache: its name there, its folder, and the commit where the cache knows it."""

    hub: Hub
    name: str
    folder: Path
    commit: str = ""


def huggingface_cache() -> Path:
    """Return the cache folder of Hugging Face, as its own library finds it."""
    own = os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE")
    if own:
        return _path(own)
    home = os.environ.get("HF_HOME")
    return (_path(home) if home else _user_cache() / "huggingface") / "hub"


def modelscope_root() -> Path:
    """Return the folder below which new models from ModelScope are kept (in ``models/OWNER/NAME``)."""
    own = os.environ.get("MODELSCOPE_CACHE")
    return _path(own) if own else Path.home() / ".cache" / "modelscope" / "hub"


def in_huggingface(name: str) -> list[CachedModel]:
    """Return the snapshots of a model: the one that ``refs/main`` names first, then the newer before the older.

    Looking up a model's settings alone moves ``refs/main`` to a snapshot without weights; the older one is still whole.
    """
    repository = huggingface_cache() / (_MODELS_PREFIX + name.replace("/", "--"))
    snapshots = repository / "snapshots"
    main = repository / "refs" / "main"
    commit = main.read_text(encoding="utf-8").strip() if main.is_file() else ""
    folders = sorted(_newest_first(snapshots), key=lambda folder: folder.name != commit)
    return [CachedModel("huggingface", name, folder, folder.name) for folder in folders]


def in_modelscope(name: str) -> list[CachedModel]:
    """Return the folders in which ModelScope's packages, old and new, keep a model."""
    owner, _, model = name.partition("/")
    escaped = model.replace(".", ESCAPED_DOT)
    found: list[Path] = []
    for base in _modelscope_bases():
        found += _newest_first(base / "models" / f"{owner}--{model}" / "snapshots")
        found += [base / place / owner / spelt for place in ("models", "") for spelt in (escaped, model)]
    return [CachedModel("modelscope", name, folder) for folder in dict.fromkeys(found) if folder.is_dir()]


def cached_models() -> Iterator[CachedModel]:
    """Yield every model in both caches, whole or not."""
    for repository in _folders(huggingface_cache()):
        owner, dashes, name = repository.name.removeprefix(_MODELS_PREFIX).partition("--")
        if repository.name.startswith(_MODELS_PREFIX) and dashes:
            yield from in_huggingface(f"{owner}/{name}")[:1]
    seen: set[str] = set()
    for base in _modelscope_bases():
        for name in (*_owned(base / "models"), *_owned(base)):
            if name not in seen:
                seen.add(name)
                yield from in_modelscope(name)[:1]


def _modelscope_bases() -> Sequence[Path]:
    own = os.environ.get("MODELSCOPE_CACHE")
    root = _path(own) if own else Path.home() / ".cache" / "modelscope"
    return root / "hub", root


def _owned(base: Path) -> Iterator[str]:
    for owner in _folders(base):
        if "--" in owner.name and (owner / "snapshots").is_dir():
            yield owner.name.replace("--", "/", 1)
        elif owner.name not in {"models", "datasets", "hub"}:
            for model in _folders(owner):
                if (model / "config.json").is_file() or (model / "modules.json").is_file():
                    yield f"{owner.name}/{model.name.replace(ESCAPED_DOT, '.')}"


def _folders(base: Path) -> list[Path]:
    if not base.is_dir():
        return []
    return sorted(entry for entry in base.iterdir() if entry.is_dir() and not entry.name.startswith("."))


def _newest_first(snapshots: Path) -> list[Path]:
    return sorted(_folders(snapshots), key=lambda folder: folder.stat().st_mtime, reverse=True)


def _user_cache() -> Path:
    own = os.environ.get("XDG_CACHE_HOME")
    return _path(own) if own else Path.home() / ".cache"


def _path(text: str) -> Path:
    return Path(os.path.expandvars(text)).expanduser()
