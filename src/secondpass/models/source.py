"""A model's name to the folder that holds it: the package, a folder, the caches of both hubs, then the network."""

from __future__ import annotations

import importlib
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from secondpass.errors import InputError
from secondpass.models.builtin_model import BUILTIN, builtin_folder
from secondpass.models.hub_caches import (
    HUB_NAMES,
    CachedModel,
    Hub,
    huggingface_cache,
    in_huggingface,
    in_modelscope,
    modelscope_root,
)
from secondpass.models.hub_listing import HubClient, Progress, no_progress, total_bytes, wanted_files
from secondpass.models.model_folder import check_folder
from secondpass.models.profiles import find_profile
from secondpass.models.weight_files import fingerprint

Origin = Literal["package", "folder", "huggingface", "modelscope"]
MODELSCOPE_PREFIX = "ms:"
_HUB_CLIENTS: dict[Hub, str] = {
    "huggingface": "secondpass.models.huggingface:HuggingFace",
    "modelscope": "secondpass.models.modelscope:ModelScope",
}
_NAME = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*", re.ASCII)
_TRUE = frozenset({"1", "true", "yes", "on"})
_SPARE_BYTES = 100_000_000


@dataclass(frozen=True, slots=True)
class Source:
    """Where a model lies.

    ``name`` is the folder, or the name at the hub it came from. ``revision`` is the commit at Hugging Face; elsewhere,
    where no commit is known, a fingerprint of the files.
    """

    folder: Path
    name: str
    revision: str
    origin: Origin


def resolve(name: str, offline: bool = False, progress: Progress = no_progress) -> Source:
    """Return the folder of the model called ``name``, fetching it where it is on no disk.

    ``name`` is ``builtin`` (the model of the package), a folder, OWNER/NAME (both caches, then Hugging Face), or
    ms:OWNER/NAME (ModelScope alone). Nothing is fetched where ``offline``, or SECONDPASS_OFFLINE or HF_HUB_OFFLINE (for
    Hugging Face) is set. Of a repository only settings, tokenizer and safetensors or ONNX weights are fetched: never
    pickles, never code.

    Raises:
        InputError: there is no such model, it is incomplete, or it has no safe weights.
        RemoteError: the hub cannot be reached.
        MissingExtraError: the model is at Hugging Face, and its library is not installed.
    """
    if name == BUILTIN:
        own = builtin_folder()
        return Source(own, BUILTIN, fingerprint(own), "package")
    hub: Hub = "modelscope" if name.startswith(MODELSCOPE_PREFIX) else "huggingface"
    plain = name.removeprefix(MODELSCOPE_PREFIX)
    folder = Path(plain).expanduser()
    if hub == "huggingface" and plain and folder.is_dir():
        check_folder(folder)
        return Source(folder.resolve(), str(folder.resolve()), fingerprint(folder), "folder")
    plain = _checked_name(name, plain)
    incomplete: InputError | None = None
    for cached in _cached(plain, hub):
        try:
            check_folder(cached.folder)
        except InputError as error:
            incomplete = incomplete or error
            continue
        return _source(cached.folder, cached)
    if forbidden := _forbidden(hub, offline):
        if incomplete:
            raise InputError(f"{str(incomplete).removesuffix('.')} ({forbidden}).") from incomplete
        raise _not_here(name, hub, forbidden)
    return fetch(plain, hub, progress)


def fetch(name: str, hub: Hub, progress: Progress = no_progress) -> Source:
    """Fetch the model called OWNER/NAME from a hub into that hub's cache.

    Raises:
        InputError: there is no such model, it has no safe weights, or the disk is too small.
        RemoteError: the hub cannot be reached.
    """
    client = _client(hub)
    listing = client.listing(name)
    paths = wanted_files(client, listing, f"{name} at {HUB_NAMES[hub]}")
    _check_room(cache_folder(hub), total_bytes(listing, paths), name)
    folder = client.fetch(listing, paths, progress)
    check_folder(folder)
    return _source(folder, CachedModel(hub, name, folder, listing.revision if hub == "huggingface" else ""))


def cache_folder(hub: Hub) -> Path:
    """Return the folder in which models of a hub are kept."""
    return huggingface_cache() if hub == "huggingface" else modelscope_root()


def _source(folder: Path, cached: CachedModel) -> Source:
    return Source(folder, cached.name, cached.commit or fingerprint(folder), cached.hub)


def _cached(name: str, hub: Hub) -> Iterator[CachedModel]:
    """Yield the folders of both caches that may hold the model; other names of the same weights last."""
    profile = find_profile(name)
    others = (profile.name, *profile.aliases) if profile else ()
    for candidate in dict.fromkeys((name, *others)) if name in others else (name,):
        if hub == "huggingface":
            yield from in_huggingface(candidate)
        yield from in_modelscope(candidate)


def _checked_name(name: str, plain: str) -> str:
    """Return OWNER/NAME, a known one in its own spelling."""
    profile = find_profile(plain) if plain.strip() else None
    if _NAME.fullmatch(plain):
        known = (profile.name, *profile.aliases) if profile else ()
        return next((other for other in known if other.lower() == plain.lower()), plain)
    hint = f" Did you mean {profile.name}?" if profile else ""
    raise InputError(
        f"There is no model folder at {name!r}, and a model at Hugging Face or ModelScope is named OWNER/NAME or "
        f"ms:OWNER/NAME, such as BAAI/bge-reranker-v2-m3.{hint}"
    )


def _forbidden(hub: Hub, offline: bool) -> str:
    """Return why nothing may be fetched, or nothing."""
    if offline:
        return "nothing is to be fetched now"
    variables = ("SECONDPASS_OFFLINE", *(("HF_HUB_OFFLINE",) if hub == "huggingface" else ()))
    for variable in variables:
        if os.environ.get(variable, "").strip().lower() in _TRUE:
            return f"{variable} is set"
    return ""


def _not_here(name: str, hub: Hub, forbidden: str) -> InputError:
    hubs: tuple[Hub, ...] = ("modelscope",) if hub == "modelscope" else ("huggingface", "modelscope")
    places = " and ".join(str(cache_folder(one)) for one in hubs)
    return InputError(
        f"The model {name} is not on this machine and cannot be fetched ({forbidden}); looked in {places}. Run "
        f"`secondpass models fetch {name}` where there is a network, or give the path of a folder that holds it."
    )


def _client(hub: Hub) -> HubClient:
    module, _, attribute = _HUB_CLIENTS[hub].partition(":")
    client: HubClient = getattr(importlib.import_module(module), attribute)()
    return client


def _check_room(folder: Path, needed: int, name: str) -> None:
    existing = next(place for place in (folder, *folder.parents) if place.exists())
    free = shutil.disk_usage(existing).free
    if free < needed + _SPARE_BYTES:
        raise InputError(
            f"{name} needs {needed / 1e9:.1f} GB in {folder}, where {free / 1e9:.1f} GB are free; make room, or set "
            "HF_HOME or MODELSCOPE_CACHE to another disk."
        )
