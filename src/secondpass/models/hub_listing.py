"""Which files of a repository are fetched: settings, tokenizer and safe weights; never pickles, never code."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from secondpass.errors import InputError
from secondpass.models.jina_layout import computes_jina
from secondpass.models.model_folder import pickles_only
from secondpass.models.weight_files import PICKLES, SPANS_FILE

_SETTINGS = (".json", ".txt", ".model", ".metadata", ".jinja")
_MAX_SETTING_BYTES = 64_000_000  # the largest tokenizer.json known is 34 MB
_ONNX_PLACES = ("onnx/model.onnx", "model.onnx")
# Copies of the weights for other engines, and what was used in training.
_OTHER_FOLDERS = frozenset({"onnx", "openvino", "coreml", "original", "eval", "results", "runs", "assets", "gguf"})


@dataclass(frozen=True, slots=True)
class DownloadState:
    """How far a download is."""

    done_bytes: int
    total_bytes: int


Progress = Callable[[DownloadState], None]


@dataclass(frozen=True, slots=True)
class Listing:
    """The files of a repository at one revision, with their sizes, and their SHA-256 where the hub says it."""

    name: str
    revision: str
    sizes: Mapping[str, int]
    sha256: Mapping[str, str] = field(default_factory=dict)


class HubClient(Protocol):
    """Talks to one hub over the network."""

    def listing(self, name: str) -> Listing:
        """List the files of a model."""
        ...

    def read(self, listing: Listing, path: str) -> bytes:
        """Return a small file."""
        ...

    def fetch(self, listing: Listing, paths: Sequence[str], progress: Progress) -> Path:
        """Fetch files into the hub's cache and return the folder they lie in, all of them or none as a model."""
        ...


def wanted_files(hub: HubClient, listing: Listing, where: str) -> list[str]:
    """Return the files to fetch; ``where`` names the repository in errors.

    Safetensors are taken where there are any, an evidence head with them; an ONNX graph beside them only where the
    architecture is defined by code of the repository, which is never run.

    Raises:
        InputError: there are no safe weights.
    """
    paths = [path for path in listing.sizes if _is_plain(path)]
    settings = [path for path in paths if _is_setting(path, listing.sizes[path])]
    safetensors = [path for path in paths if _is_weight(path)]
    heads = [path for path in paths if path == SPANS_FILE and safetensors]
    config = (
        as_json(hub.read(listing, "config.json"), f"config.json of {where}") if "config.json" in listing.sizes else {}
    )
    own_code = isinstance(config, dict) and bool(config.get("auto_map")) and not computes_jina(config)
    onnx = _onnx(paths) if own_code or not safetensors else []
    if not safetensors and not onnx:
        raise _no_weights(listing, where)
    return [*settings, *safetensors, *heads, *onnx]


def _is_plain(path: str) -> bool:
    """Say whether a path stays in its folder and is no deeper than a module's."""
    parts = PurePosixPath(path).parts
    return (
        bool(parts)
        and len(parts) <= 2
        and not any(part.startswith(".") or "\\" in part or ":" in part or "\0" in part for part in parts)
        and not path.startswith("/")
    )


def _is_setting(path: str, size: int) -> bool:
    pure = PurePosixPath(path)
    return pure.suffix in _SETTINGS and size <= _MAX_SETTING_BYTES and not _elsewhere(pure)


def _is_weight(path: str) -> bool:
    pure = PurePosixPath(path)
    return pure.match("model*.safetensors") and not _elsewhere(pure)


def _elsewhere(path: PurePosixPath) -> bool:
    return len(path.parts) == 2 and path.parts[0].lower() in _OTHER_FOLDERS


def _onnx(paths: Sequence[str]) -> list[str]:
    graph = next((place for place in _ONNX_PLACES if place in paths), None)
    return [path for path in paths if graph and (path == graph or path.startswith((f"{graph}_data", f"{graph}.data")))]


def _no_weights(listing: Listing, where: str) -> InputError:
    pickles = sorted(path for path in listing.sizes if path.endswith(PICKLES))
    if pickles:
        return pickles_only(where, pickles[:4])
    found = ", ".join(sorted(listing.sizes)[:8]) or "nothing"
    return InputError(
        f"{where} holds no model that can be read here: there are no safetensors weights (found: {found})."
    )


def total_bytes(listing: Listing, paths: Sequence[str]) -> int:
    """Return how large the files are together."""
    return sum(listing.sizes[path] for path in paths)


def no_progress(_: DownloadState) -> None:
    """Tell nobody."""


def as_json(content: bytes, what: str) -> Any:
    """Parse what a hub sent.

    Raises:
        InputError: it is not JSON.
    """
    try:
        return json.loads(content)
    except ValueError as error:
        raise InputError(f"{what} is not JSON: {error}.") from error
