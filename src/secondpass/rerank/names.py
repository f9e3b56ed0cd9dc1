"""A reranker's name to a reranker: ``lexical``, a folder, ``BAAI/bge-reranker-v2-m3``, ``cohere:rerank-v3.5`` ...

===============================  ==========================================================================
``lexical``, ``mmr``, ...        a part of the registry, plug-ins included
``builtin``                      the model that comes with the package
``fuse:A+B``                     several rerankers over the same passages, their ranks fused
``listwise:openai/qwen-max``     a chat model that ranks (also ``pointwise``, ``pairwise``, ``setwise``)
``cohere:MODEL``, ``http://...`` a hosted reranker
a folder, ``OWNER/NAME``         a model: local folder, caches of both hubs, then the network
``ms:OWNER/NAME``                the same from ModelScope
``./t5[profile=P,engine=E]``     a model with settings of its own (`stage_settings`)
===============================  ==========================================================================
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from secondpass.errors import InputError
from secondpass.models.builtin_model import BUILTIN
from secondpass.models.profiles import PROFILES, find_profile
from secondpass.registry import find, known
from secondpass.rerank.hosted_formats import DIALECTS
from secondpass.rerank.opened import OpenRerankers
from secondpass.rerank.options import RerankerOptions
from secondpass.rerank.score_cache import open_cache
from secondpass.rerank.stage_settings import with_settings
from secondpass.types import Reranker

RANKING_KINDS = ("pointwise", "pairwise", "setwise", "listwise")
_FUSION = "fuse"
_PREFIXES = (*RANKING_KINDS, *DIALECTS, "http", "https", _FUSION, "ms")
_OPEN_MODELS = 8
"""How many opened rerankers stay in memory."""
_opened = OpenRerankers(_OPEN_MODELS)


def check_name(name: str) -> None:
    """Refuse a name that means nothing, before anything is opened; a model may still not be there.

    Raises:
        InputError: the name is none of the forms; the message names the nearest known one.
    """
    name, _ = _with_settings(name, RerankerOptions())
    prefix, colon, rest = name.partition(":")
    if name in _own_names() or (colon and _base(prefix) in _PREFIXES and rest) or _is_model(name):
        return
    near = _nearest(name, prefix if colon else "")
    hint = f" Did you mean {near!r}?" if near else ""
    forms = "a model's folder or OWNER/NAME, ms:OWNER/NAME, listwise:PROVIDER/MODEL, cohere:MODEL, http://HOST:PORT"
    raise InputError(
        f"There is no reranker named {name!r}; known are: {', '.join(sorted(_own_names()))}, {forms}.{hint}"
    )


def _with_settings(name: str, options: RerankerOptions) -> tuple[str, RerankerOptions]:
    """Return a model's name without the settings behind it, and ``options`` with them; other names have none."""
    prefix, colon, _ = name.partition(":")
    if colon and prefix != "ms" and _base(prefix) in _PREFIXES:
        return name, options
    plain, own = with_settings(name, options)
    if plain != name and plain in known("rerankers"):
        raise InputError(f"{plain} has no settings in brackets; they are for models that are computed here.")
    return plain, own


def _own_names() -> set[str]:
    return {*known("rerankers"), BUILTIN}


def _nearest(name: str, prefix: str) -> str:
    """Return the known name or form that is most like ``name``, or nothing."""
    if profile := find_profile(name):
        return profile.name
    names = {profile.name.rpartition("/")[2].lower(): profile.name for profile in PROFILES}
    names |= {part: part for part in known("rerankers")}
    near = difflib.get_close_matches(name.lower(), names, n=1)
    if near:
        return names[near[0]]
    forms = difflib.get_close_matches(prefix.lower(), _PREFIXES, n=1) if prefix else []
    return f"{forms[0]}:{name.partition(':')[2]}" if forms else ""


def _base(prefix: str) -> str:
    """Return the kind of a ranker without its variant: ``listwise`` of ``listwise-single``."""
    base = prefix.partition("-")[0]
    return base if base in RANKING_KINDS else prefix


def _is_model(name: str) -> bool:
    return Path(name).expanduser().is_dir() or ("/" in name and ":" not in name and " " not in name)


def open_reranker(name: str, options: RerankerOptions) -> Reranker:
    """Open the reranker ``name``; one that was opened before with the same options is shared.

    Settings in brackets behind a model's name (`stage_settings`) stand for those of ``options``.
    ``options.min_score`` and ``options.budget_seconds`` are for whoever puts stages together.

    Raises:
        InputError: there is no such reranker, or it cannot be opened with these options.
        MissingExtraError: a part is not installed.
        RemoteError: a server or hub does not answer.
    """
    check_name(name)
    name, options = _with_settings(name, options)
    if name in known("rerankers"):
        steps: Reranker = find("rerankers", name)(**({"read": options.read_text} if name == "merge" else {}))
        return steps
    if name != BUILTIN and (folder := Path(name).expanduser()).is_dir():
        name = str(folder.absolute())  # the same name in another working directory is another folder
    asked = replace(options, min_score=None, budget_seconds=None, read_text=None)
    return _opened.get((name, asked), lambda: _open(name, asked))


def opened_rerankers() -> list[Reranker]:
    """Return the rerankers that were opened by name and are still in memory, those within a fusion included."""
    return _opened.all()


def release_rerankers() -> None:
    """Forget opened rerankers and score caches, so that the memory of those nobody holds is free."""
    _opened.clear()
    open_cache.cache_clear()


def _open(name: str, options: RerankerOptions) -> Reranker:
    prefix, _, rest = name.partition(":")
    if prefix == _FUSION:
        reranker: Reranker = _function("secondpass.rerank.fusion_names:open_fusion")(
            rest, lambda part: open_reranker(part, options)
        )
    elif _base(prefix) in RANKING_KINDS:
        reranker = _function("secondpass.rerank.ranking_names:open_with")(name, options)
    elif prefix in (*DIALECTS, "http", "https"):
        reranker = _function("secondpass.rerank.hosted_names:open_with")(name, options)
    else:
        reranker = _function("secondpass.rerank.model_names:open_model")(name, options)
    return reranker


def _function(place: str) -> Callable[..., Any]:
    """Import what opens a kind of reranker: only the kind that is asked for is imported."""
    module, _, attribute = place.partition(":")
    found: Callable[..., Any] = getattr(importlib.import_module(module), attribute)
    return found
