"""The name of a model to a reranker: where its files are, what it is, and what opens its family.

What is not installed is said before anything is fetched; what computes models is imported after that.
"""

from __future__ import annotations

import difflib
import importlib
import logging
import os
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from secondpass.errors import InputError, MissingExtraError
from secondpass.models.checkpoint import Checkpoint, read_checkpoint, reranker_family
from secondpass.models.engines import installed_engines
from secondpass.models.profiles import PROFILES, Family, RerankerProfile, find_profile, recorded_profile
from secondpass.models.source import Source, resolve
from secondpass.rerank.duo import DuoReranker
from secondpass.rerank.family_fit import check_fit, is_light, settings_in_words
from secondpass.rerank.options import RerankerOptions
from secondpass.rerank.pairs import PairReranker
from secondpass.rerank.score_cache import open_cache
from secondpass.types import PairScorer, Reranker

_log = logging.getLogger(__name__)
Opener = Family | Literal["query-likelihood"]
QUERY_LIKELIHOOD: Literal["query-likelihood"] = "query-likelihood"
"""The profile that scores with any language model: how likely the question is after the passage."""
_PASSAGES_AT_ONCE = 256
"""After so many, scores are kept and progress is said; enough that batches of equal lengths are found among them."""
_LIKE = 0.8


@dataclass(frozen=True, slots=True)
class ModelToOpen:
    """A model as it was found, before it is loaded; ``name`` is what tables call it."""

    folder: Path
    name: str
    family: Opener
    profile: RerankerProfile | None


@dataclass(frozen=True, slots=True)
class OpenedModel:
    """What was made of a model, and what a person may want to know of it: engine, precision, longest input."""

    made: PairScorer | DuoReranker
    engine: str
    precision: str
    max_tokens: int
    takes_instruction: bool = False


def open_model(name: str, options: RerankerOptions) -> Reranker:
    """Open the model ``name`` (a folder, OWNER/NAME, ms:OWNER/NAME) as a reranker.

    Raises:
        InputError: there is no such model, or it is none that reranks; the message says what it is.
        MissingExtraError: nothing that could compute it is installed.
        RemoteError: it would have to be fetched, and the hub does not answer.
    """
    chosen = _chosen_profile(options)
    by_name = chosen or find_profile(name)
    source = _resolve(name, by_name, options)
    profile = chosen or recorded_profile(source.folder) or by_name or find_profile(source.name)
    model = _model(name, source, profile, options)
    check_fit(model.name, model.family, options)
    _check_installed(name, model.family, options)
    families: Any = importlib.import_module("secondpass.rerank.model_families")
    opened: OpenedModel = families.open_family(model, options)
    _log.info("%s", _described(model, opened, options))
    if options.instruction and not opened.takes_instruction:
        _log.info("%s takes no instruction; the given one is not used", model.name)
    if isinstance(opened.made, DuoReranker):
        return opened.made
    return PairReranker(opened.made, open_cache(options.cache), _PASSAGES_AT_ONCE)


def _model(name: str, source: Source, profile: RerankerProfile | None, options: RerankerOptions) -> ModelToOpen:
    """Look at the model's folder and say what will be opened.

    Raises:
        InputError: it is none that reranks, or none that gives the likelihood of a question where that is asked for.
    """
    shown = Path(name).name if source.origin == "folder" else source.name
    checkpoint = read_checkpoint(source.folder)
    if options.profile != QUERY_LIKELIHOOD:
        return ModelToOpen(source.folder, shown, _family(checkpoint, profile, options), profile)
    if checkpoint.kind != "causal":
        raise InputError(
            f"The model at {source.folder} ({checkpoint.described}) writes no text, so that it cannot say how likely a "
            f"question is; the profile {QUERY_LIKELIHOOD} is for language models such as Qwen/Qwen3-0.6B."
            f"{_for_one(options)}"
        )
    return ModelToOpen(source.folder, shown, QUERY_LIKELIHOOD, None)


def _family(checkpoint: Checkpoint, profile: RerankerProfile | None, options: RerankerOptions) -> Family:
    """Return the family that reranks with the model; a profile that was asked for and does not fit may be another's."""
    try:
        return reranker_family(checkpoint, profile)
    except InputError as error:
        raise InputError(f"{error}{_for_one(options)}") from error


def _for_one(options: RerankerOptions) -> str:
    """Return how one of several rerankers gets the profile that all were given, or nothing."""
    if options.profile is None:
        return ""
    return (
        " A profile that a command is given holds for every reranker of it; for one of several, write it behind that "
        f"one's name instead: './folder[profile={options.profile}]'."
    )


def _resolve(name: str, profile: RerankerProfile | None, options: RerankerOptions) -> Source:
    """Return where the model is; what could not be computed here is not fetched."""
    try:
        return resolve(name, offline=True)
    except InputError as error:
        if Path(name).is_dir() or name.startswith((".", "/", "~")):
            raise
        if options.offline:
            raise InputError(f"{error}{_like(name)}") from error
    _check_installed(name, profile.family if profile else "cross-encoder", options)
    try:
        return resolve(name)
    except InputError as error:
        raise InputError(f"{error}{_like(name)}") from error


def _like(name: str) -> str:
    """Return a question that names the known model most like ``name``, or nothing."""
    names = {} if find_profile(name) else {profile.name.lower(): profile.name for profile in PROFILES}
    near = difflib.get_close_matches(name.removeprefix("ms:").lower(), names, n=1, cutoff=_LIKE)
    return f" Did you mean {names[near[0]]}?" if near else ""


def _chosen_profile(options: RerankerOptions) -> RerankerProfile | None:
    if options.profile in (None, QUERY_LIKELIHOOD):
        return None
    found = find_profile(options.profile or "")
    if found is None:
        raise InputError(
            f"There is no profile named {options.profile!r}; `secondpass models list` shows them, and "
            f"{QUERY_LIKELIHOOD} is for any language model."
        )
    return found


def _check_installed(name: str, family: Opener, options: RerankerOptions) -> None:
    """Refuse what nothing that is installed can compute.

    Raises:
        MissingExtraError: the message says what to install.
    """
    wanted = options.engine.name
    engines = installed_engines() if find_spec("tokenizers") else []
    if not is_light(family) or options.profile == QUERY_LIKELIHOOD:
        if not (find_spec("torch") and find_spec("transformers")):
            raise MissingExtraError(f"The language model {name}", "torch")
    elif not engines or (wanted != "auto" and wanted not in engines):
        raise MissingExtraError(f"The reranker {name}", "openvino" if wanted == "auto" else wanted)


def _described(model: ModelToOpen, opened: OpenedModel, options: RerankerOptions) -> str:
    """Return one line on an opened model: name, family, engine, precision, threads, longest input, folder."""
    threads = options.engine.threads or _usable_cores()
    place = options.engine.device if options.engine.device != "cpu" else f"{threads} thread{'s'[: threads > 1]}"
    like = f" like {model.profile.name}" if model.profile and model.profile.name != model.name else ""
    return (
        f"{model.name}: {model.family}{like} on {opened.engine} {opened.precision}, {place}, inputs of up to "
        f"{opened.max_tokens:,} tokens{settings_in_words(options)}, from {model.folder}"
    )


def _usable_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
