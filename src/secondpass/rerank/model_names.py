"""The name of a model to a reranker: where its files are, what it is, and what opens its family."""

from __future__ import annotations

import logging
from dataclasses import replace
from importlib.util import find_spec

from secondpass.errors import InputError, MissingExtraError
from secondpass.models.checkpoint import read_checkpoint, reranker_family
from secondpass.models.cross_encoder import ReadingOptions
from secondpass.models.late_interaction import LateInteractionOptions
from secondpass.models.pair_reading import LongPassages
from secondpass.models.profiles import Family, RerankerProfile, find_profile
from secondpass.models.source import Source, resolve
from secondpass.registry import find
from secondpass.rerank.duo import DuoReranker
from secondpass.rerank.options import RerankerOptions
from secondpass.rerank.pairs import PairReranker
from secondpass.rerank.score_cache import open_cache
from secondpass.types import PairScorer, Reranker

_log = logging.getLogger(__name__)
QUERY_LIKELIHOOD = "query-likelihood"
"""The profile that scores with any language model: how likely the question is after the passage."""
_LIGHT: tuple[Family, ...] = ("cross-encoder", "late-interaction")
"""Families that run without torch."""


def open_model(name: str, options: RerankerOptions) -> Reranker:
    """Open the model ``name`` (a folder, OWNER/NAME, ms:OWNER/NAME) as a reranker.

    Raises:
        InputError: there is no such model, or it is none that reranks; the message says what it is.
        MissingExtraError: nothing that could compute it is installed.
        RemoteError: it would have to be fetched, and the hub does not answer.
    """
    source = resolve(name, options.offline)
    _log.info("%s: %s, from %s", name, source.folder, source.origin)
    profile = _profile(source, options)
    if options.profile == QUERY_LIKELIHOOD:
        _need_torch(name)
        return _reranker(find("scorers", QUERY_LIKELIHOOD)(source.folder, None, options.engine), options)
    checkpoint = read_checkpoint(source.folder)
    family = reranker_family(checkpoint, profile)
    if family not in _LIGHT:
        _need_torch(name)
        if profile and options.max_tokens:
            profile = replace(profile, max_tokens=options.max_tokens)
    if family == "seq2seq-pairs":
        return DuoReranker(find("scorers", family)(source.folder, profile, options.engine))
    return _reranker(_open_scorer(family, source, profile, options), options)


def _open_scorer(
    family: Family, source: Source, profile: RerankerProfile | None, options: RerankerOptions
) -> PairScorer:
    """Open a scorer, handing over what its family knows of."""
    opener = find("scorers", family)
    folder, engine = source.folder, options.engine
    long: LongPassages = "truncate" if options.cut_long else "windows"
    known: PairScorer
    if family == "cross-encoder":
        known = opener(folder, profile, engine, ReadingOptions(options.max_tokens, long), name=_shown(source))
    elif family == "late-interaction":
        reading = LateInteractionOptions(document_length=options.max_tokens, cut_long=options.cut_long)
        known = opener(folder, _shown(source), reading, engine)
    elif family == "seq2seq":
        known = opener(folder, profile, engine)
    else:
        known = opener(folder, profile, engine, options.instruction)
    return known


def _shown(source: Source) -> str:
    """Return what tables call the model: its name, or its folder's last part."""
    return source.folder.name if source.origin == "folder" else source.name


def _reranker(scorer: PairScorer, options: RerankerOptions) -> PairReranker:
    return PairReranker(scorer, open_cache(options.cache))


def _profile(source: Source, options: RerankerOptions) -> RerankerProfile | None:
    if options.profile in (None, QUERY_LIKELIHOOD):
        return find_profile(source.name) or find_profile(source.folder)
    found = find_profile(options.profile or "")
    if found is None:
        raise InputError(
            f"There is no profile named {options.profile!r}; `secondpass models list` shows them, and "
            f"{QUERY_LIKELIHOOD} is for any language model."
        )
    return found


def _need_torch(name: str) -> None:
    if not (find_spec("torch") and find_spec("transformers")):
        raise MissingExtraError(f"The language model {name}", "torch")
