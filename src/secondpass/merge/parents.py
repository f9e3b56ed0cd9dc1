"""A model that is to be merged: where it lies, its tensors by key, and which of its files go into the merged folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from secondpass.errors import InputError
from secondpass.merge.tensor_files import StoredTensor, read_tensors
from secondpass.models.model_folder import pickles_only, read_json
from secondpass.models.module_list import module_paths
from secondpass.models.source import Origin, resolve
from secondpass.models.weight_files import SPANS_FILE, fingerprint

ParentKind = Literal["model", "adapter"]
ADAPTER_CONFIG, ADAPTER_WEIGHTS = "adapter_config.json", "adapter_model"
WEIGHTS = "model"
_PICKLED_WEIGHTS = ("pytorch_model*.bin", "adapter_model.bin")
_SETTINGS = (
    "config.json", "generation_config.json", "modules.json", "config_sentence_transformers.json",
    "sentence_*_config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
    "vocab.txt", "vocab.json", "merges.txt", "*.model", "chat_template.jinja", "chat_template.json",
    "artifact.metadata", ADAPTER_CONFIG, "*.py", "LICENSE*", "NOTICE*",
)  # fmt: skip
_OWN = ("README.md", "merge.json", ".gitattributes")


@dataclass(frozen=True, slots=True)
class Part:
    """A place in the folder that holds weights (``""``: the folder itself), and how its files are called."""

    place: str
    stem: str

    def key(self, name: str) -> str:
        """Return the key of the tensor ``name`` of this place, unique in the folder."""
        beside = "" if self.stem in (WEIGHTS, ADAPTER_WEIGHTS) else self.stem
        return "/".join(part for part in (self.place, beside, name) if part)


EVIDENCE = Part("", Path(SPANS_FILE).stem)
"""The evidence head, in a file of its own beside the weights."""


@dataclass(frozen=True, slots=True, eq=False)
class Parent:
    """A model to be merged.

    ``name`` is what the person called it. ``tensors`` are all of its tensors by key, ``parts`` the places they come
    from. ``settings`` are the files, relative to ``folder``, that a merged folder takes over, ``left`` those it does
    not.
    """

    name: str
    folder: Path
    origin: Origin
    kind: ParentKind
    parts: tuple[Part, ...]
    tensors: Mapping[str, StoredTensor]
    settings: tuple[str, ...]
    left: tuple[str, ...]

    def part_of(self, part: Part) -> dict[str, StoredTensor]:
        """Return the tensors of one place by their names there."""
        return {
            stored.name: stored
            for key, stored in self.tensors.items()
            if key == part.key(stored.name) and stored.path.parent == self.folder / part.place
        }

    def fingerprint(self) -> str:
        """Return 16 hexadecimal digits that change with weights, tokenizer or settings."""
        return fingerprint(self.folder)

    @property
    def bytes(self) -> int:
        """The size of all tensors."""
        return sum(stored.bytes for stored in self.tensors.values())


def open_parent(name: str, offline: bool = False) -> Parent:
    """Open the model ``name``: a folder with a model or a LoRA adapter, OWNER/NAME, or ms:OWNER/NAME.

    Only headers are read.

    Raises:
        InputError: there is no such model, it is incomplete, or its weights are pickles.
        RemoteError: it would have to be fetched, and the hub does not answer.
    """
    folder = Path(name).expanduser()
    origin: Origin = "folder"
    kind: ParentKind = "adapter" if (folder / ADAPTER_CONFIG).is_file() else "model"
    if kind == "model":
        if folder.is_dir():
            _refuse_pickles(folder, name)
        source = resolve(name, offline)
        folder, origin = source.folder, source.origin
    parts = _parts(folder, kind)
    tensors: dict[str, StoredTensor] = {}
    for part in parts:
        tensors |= {part.key(stored.name): stored for stored in _part_tensors(folder, part, name)}
    if not tensors:
        raise InputError(f"The model at {folder} holds no tensors; fetch or save it again.")
    settings = _settings(folder, parts)
    weights = {stored.path.relative_to(folder).as_posix() for stored in tensors.values()}
    left = tuple(sorted(_files(folder) - set(settings) - weights - set(_OWN)))
    return Parent(name, folder, origin, kind, parts, tensors, settings, left)


def _refuse_pickles(folder: Path, name: str) -> None:
    """Say first that weights are pickles: a merge that took the other model's head in their stead would be silent."""
    for place in (folder, *(folder / path for path in module_paths(folder) if path)):
        pickles = [path for pattern in _PICKLED_WEIGHTS for path in place.glob(pattern)]
        if pickles and not any(place.glob("*.safetensors")):
            raise pickles_only(f"The model {name}", [path.relative_to(folder).as_posix() for path in sorted(pickles)])


def _parts(folder: Path, kind: ParentKind) -> tuple[Part, ...]:
    if kind == "adapter":
        return (Part("", ADAPTER_WEIGHTS),)
    places = dict.fromkeys(["", *module_paths(folder)])
    parts = [
        Part(place, WEIGHTS)
        for place in places
        if (folder / place / f"{WEIGHTS}.safetensors").is_file()
        or (folder / place / f"{WEIGHTS}.safetensors.index.json").is_file()
    ]
    return (*parts, EVIDENCE) if (folder / SPANS_FILE).is_file() else tuple(parts)


def _part_tensors(folder: Path, part: Part, name: str) -> list[StoredTensor]:
    place = folder / part.place
    single = place / f"{part.stem}.safetensors"
    if single.is_file():
        return list(read_tensors(single).values())
    index = place / f"{part.stem}.safetensors.index.json"
    if not index.is_file():
        _refuse_pickles(folder, name)
        raise InputError(f"The model at {folder} holds no {single.name}; fetch or save it again.")
    placed: dict[str, str] = {str(key): str(file) for key, file in (read_json(index).get("weight_map") or {}).items()}
    shards = {file: read_tensors(place / file) for file in sorted(set(placed.values()))}
    tensors = []
    for tensor, file in placed.items():
        if tensor not in shards[file]:
            raise InputError(f"{index} says that {tensor} is in {file}, where it is not; fetch the model again.")
        tensors.append(shards[file][tensor])
    return tensors


def _settings(folder: Path, parts: tuple[Part, ...]) -> tuple[str, ...]:
    places = dict.fromkeys(["", *(part.place for part in parts), *module_paths(folder)])
    found = {
        path.relative_to(folder).as_posix()
        for place in places
        for pattern in _SETTINGS
        for path in (folder / place).glob(pattern)
        if path.is_file()
    }
    return tuple(sorted(found))


def _files(folder: Path) -> set[str]:
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.endswith(".safetensors.index.json")
    }
