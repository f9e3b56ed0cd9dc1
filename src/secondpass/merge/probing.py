"""Pairs with scores for a merged model: the pairs of a model it was made of, the scores its own.

Those of its parents would say of a whole model that it is damaged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from secondpass.errors import InputError
from secondpass.merge.parents import Parent
from secondpass.models.checkpoint import read_checkpoint
from secondpass.models.cross_encoder import open_cross_encoder
from secondpass.models.engine import EngineOptions
from secondpass.models.engines import installed_engines
from secondpass.models.late_interaction_scorer import open_late_interaction
from secondpass.models.probes import PROBES, Probe, probe_scores, read_probes, write_probes
from secondpass.types import PairScorer


def renew_probes(folder: Path, parents: Sequence[Parent], options: EngineOptions | None = None) -> str:
    """Score the pairs that the parents keep by the merged model in ``folder``, and keep them with it.

    Returns a sentence on what was done; empty where no parent keeps any pairs.
    """
    try:
        probes = _pairs(parents)
    except InputError as error:
        return f"{PROBES} is left out: {error}"
    if parents[0].kind == "adapter" or not probes:
        return ""
    engines = installed_engines() if find_spec("tokenizers") else []
    kind = read_checkpoint(folder).kind
    if kind not in {"cross-encoder", "late-interaction"} or not engines:
        reason = f"no engine computes a {kind} here" if engines else "no engine is installed"
        return f"{PROBES} is left out: {reason}, so that damage to this folder would not be noticed when it is opened"
    scorer = _scorer(folder, kind, replace(options or EngineOptions(engines[0]), precision="f32"))
    scores = probe_scores(scorer, probes)
    write_probes(folder, [replace(probe, score=score) for probe, score in zip(probes, scores, strict=True)])
    return f"{PROBES} holds {len(probes)} pairs with the merged model's own scores"


def _pairs(parents: Sequence[Parent]) -> list[Probe]:
    return next((probes for parent in parents if (probes := read_probes(parent.folder))), [])


def _scorer(folder: Path, kind: str, options: EngineOptions) -> PairScorer:
    if kind == "cross-encoder":
        return open_cross_encoder(folder, options=options)
    return open_late_interaction(folder, engine_options=options)
