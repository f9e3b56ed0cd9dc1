"""Hands each family of models what it knows of a person's options; imported only where a model is opened."""

from __future__ import annotations

import importlib
from dataclasses import replace
from typing import Any

from secondpass.models.cross_encoder import CrossEncoderScorer, ReadingOptions
from secondpass.models.late_interaction import LateInteractionOptions
from secondpass.models.late_interaction_scorer import LateInteractionScorer
from secondpass.models.model_folder import read_json
from secondpass.models.pair_reading import LongPassages
from secondpass.models.profiles import RerankerProfile
from secondpass.registry import find
from secondpass.rerank.blend import BlendedScorer, read_shares
from secondpass.rerank.duo import DuoReranker
from secondpass.rerank.model_names import QUERY_LIKELIHOOD, ModelToOpen, OpenedModel
from secondpass.rerank.options import RerankerOptions
from secondpass.rerank.score_cache import open_cache

_LIKELIHOOD_TOKENS = 2048


def open_family(model: ModelToOpen, options: RerankerOptions) -> OpenedModel:
    """Open a model as its family is opened.

    Raises:
        InputError: the model or the options do not fit.
        MissingExtraError: the engine is not installed.
    """
    opener = find("scorers", model.family)
    if model.family == "cross-encoder":
        long: LongPassages = "truncate" if options.cut_long else "windows"
        reading = ReadingOptions(options.max_tokens, long, options.window_unit)
        pairs: CrossEncoderScorer = opener(model.folder, model.profile, options.engine, reading, name=model.name)
        shares = read_shares(read_json(model.folder / "config.json"))
        scorer = BlendedScorer(pairs, shares) if shares else pairs
        return OpenedModel(scorer, pairs.engine.name, pairs.engine.precision, pairs.max_tokens)
    if model.family == "late-interaction":
        wanted = LateInteractionOptions(options.skiplist, document_length=options.max_tokens, cut_long=options.cut_long)
        late: LateInteractionScorer = opener(model.folder, model.name, wanted, options.engine)
        engine = late.encoder.engine
        return OpenedModel(late, engine.name, engine.precision, late.encoder.settings.document_length)
    profile = _language_profile(model, options)
    takes_instruction = model.family in {"causal", "layerwise", "lightweight"}
    given = (options.instruction, *_layers(model, options)) if takes_instruction else ()
    made = opener(model.folder, profile, options.engine, *given)
    if model.family == "seq2seq-pairs":
        made = DuoReranker(made, cache=open_cache(options.cache))
    return OpenedModel(made, "torch", options.engine.precision, profile.max_tokens, takes_instruction)


def _layers(model: ModelToOpen, options: RerankerOptions) -> tuple[Any, ...]:
    """Return what a layered model takes of where it stops, and of what it makes one; nothing is the model's own."""
    if model.family == "layerwise":
        return () if options.layer is None else (options.layer,)
    if model.family != "lightweight":
        return ()
    own: Any = importlib.import_module("secondpass.models.lightweight").Compression()
    ratio, layers = options.compress or (own.compress_ratio, own.compress_layers)
    chosen = own.cutoff_layer if options.layer is None else options.layer
    return (replace(own, cutoff_layer=chosen, compress_ratio=ratio, compress_layers=layers),)


def _language_profile(model: ModelToOpen, options: RerankerOptions) -> RerankerProfile:
    """Return the profile of a model that runs in torch, with the lengths that were asked for."""
    profile = model.profile
    if profile is None or model.family == QUERY_LIKELIHOOD:
        profile = RerankerProfile(
            model.name, "causal", "log_likelihood", _LIKELIHOOD_TOKENS, QUERY_LIKELIHOOD, gives_probability=False
        )
    return replace(
        profile,
        max_tokens=options.max_tokens or profile.max_tokens,
        windows="first" if options.cut_long else profile.windows,
    )
