"""Open what is trained: which kind of model it is, its weights and head, its tokenizer, and the longest input."""

from __future__ import annotations

import importlib
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from secondpass.errors import InputError
from secondpass.models.checkpoint import Checkpoint, read_checkpoint
from secondpass.models.cross_encoder import position_limit
from secondpass.models.module_list import transformer_folder
from secondpass.models.quantize import calibration_texts
from secondpass.models.span_head import read_span_head
from secondpass.models.weight_files import SPANS_FILE
from secondpass.rerank.blend import WITH_LEXICAL
from secondpass.train.answer_places import PLACES
from secondpass.train.encoder import ClassifierScores, PairEncoder, open_classifier, recompute_layers
from secondpass.train.evidence import HEAD_KEPT, HEAD_LEFT, EvidenceScores
from secondpass.train.groups import Group
from secondpass.train.options import TrainOptions
from secondpass.train.reading import TrainedModel
from secondpass.train.saving import write_classifier
from secondpass.train.smaller import make_smaller, size_of
from secondpass.train.teacher import open_teacher

_USUAL_TOKENS, _LEAST_TOKENS = 512, 16
# What a family is made of, the one that `auto` takes first, and where it is opened.
_KINDS = {
    "cross-encoder": ("cross-encoder", "bi-encoder"),
    "causal": ("causal",),
    "late-interaction": ("late-interaction", "bi-encoder"),
}
_OPENERS = {
    "causal": "secondpass.train.causal",
    "late-interaction": "secondpass.train.late_interaction",
}
# Options that mean something for one family alone.
_OWN = {
    "head": "cross-encoder", "evidence": "cross-encoder", "profile": "causal", "lora_rank": "causal",
    "lora_alpha": "causal", "lora_dropout": "causal", "lora_targets": "causal", "projection": "late-interaction",
    "query_tokens": "late-interaction", "teacher": "cross-encoder", "imitate": "cross-encoder",
    "layers": "cross-encoder", "heads": "cross-encoder", "neurons": "cross-encoder",
}  # fmt: skip


def open_model(folder: Path, options: TrainOptions) -> TrainedModel:
    """Open the model in ``folder`` for training; a head or a projection is made where there is none.

    Raises:
        InputError: the model is of a kind that cannot be trained here, or reads no inputs as long as asked for.
    """
    checkpoint = read_checkpoint(folder)
    family = _family(checkpoint, options)
    _check_options(family, checkpoint, options)
    if family in _OPENERS:
        opener: Any = importlib.import_module(_OPENERS[family])
        model: TrainedModel = opener.open_trained(checkpoint, options)
        return model
    return _open_classifier(checkpoint, options)


def longest_input(folder: Path, most: int, options: TrainOptions) -> int:
    """Return the longest input of a run, for a model that reads up to ``most`` tokens.

    Raises:
        InputError: a longer one, or one too short to hold anything, was asked for.
    """
    if not options.max_tokens:
        return min(_USUAL_TOKENS, most)
    if not _LEAST_TOKENS <= options.max_tokens <= most:
        raise InputError(
            f"max_tokens is {options.max_tokens}; the model at {folder} reads {_LEAST_TOKENS} to {most} tokens."
        )
    return options.max_tokens


def _family(checkpoint: Checkpoint, options: TrainOptions) -> str:
    kind = checkpoint.kind
    found = next((family for family, kinds in _KINDS.items() if kind in kinds), None)
    if found is None or checkpoint.needs_own_code:
        raise InputError(
            f"The model at {checkpoint.folder} is a {kind} ({checkpoint.described}); what is trained here are sequence "
            "classifiers, embedders, plain encoders, late-interaction and causal language models that transformers "
            "computes without code of their own."
        )
    if options.family == "auto":
        return found
    if kind not in _KINDS[options.family]:
        raise InputError(
            f"family is {options.family}, and the model at {checkpoint.folder} is a {kind} ({checkpoint.described}); "
            f"a {options.family} is trained from a {' or a '.join(_KINDS[options.family])}."
        )
    return options.family


def _check_options(family: str, checkpoint: Checkpoint, options: TrainOptions) -> None:
    """Refuse what would have no effect."""
    usual = TrainOptions()
    for name, owner in _OWN.items():
        if owner != family and getattr(options, name) != getattr(usual, name):
            raise InputError(
                f"{name} is for the family {owner}, and the model at {checkpoint.folder} is trained as a {family}; "
                f"leave {name} out."
            )


def _open_classifier(checkpoint: Checkpoint, options: TrainOptions) -> TrainedModel:
    folder = checkpoint.folder
    inner = transformer_folder(folder)
    dropout = options.dropout if options.dropout >= 0 else None
    head = _head(checkpoint, options)
    segments = int(checkpoint.config.get("type_vocab_size") or 0)
    tokenizer = folder if (folder / "tokenizer.json").is_file() else inner
    max_tokens = longest_input(folder, position_limit(checkpoint), options)
    reader = PairEncoder(tokenizer, segments, max_tokens, int(checkpoint.config.get("pad_token_id") or 0))
    module = open_classifier(inner, head, dropout, options.seed, _smaller(options, reader))
    if options.gradient_checkpointing:
        recompute_layers(module)
    write = partial(write_classifier, module, tokenizer, max_tokens)
    # Under a mean layer the states that a head read before are those of another place.
    known_head = folder if (folder / SPANS_FILE).is_file() and head != "mean" else None
    teacher = open_teacher(options, module, tokenizer)
    if not options.evidence:
        scores = ClassifierScores(module, teacher)
        if teacher:
            scores.keep_states()
        plain = TrainedModel(scores, reader, write, head != "own", notes=_left(checkpoint))
        return _with_old_evidence(plain, module, folder, known_head)
    evidence = EvidenceScores(module, known_head, teacher)

    def write_both(place: Path) -> None:
        write(place)
        evidence.save_head(place)

    return TrainedModel(evidence, reader, write_both, head != "own", notes=_left(checkpoint))


def _smaller(options: TrainOptions, reader: PairEncoder) -> Callable[[Any], Any] | None:
    """Return what makes a model as small as ``options`` say, by what it does with the texts of the package."""
    size = size_of(options.layers, options.heads, options.neurons)
    if not size:
        return None
    groups = [Group(query, (passage,), (1.0,)) for query, passage in calibration_texts()]
    read = reader.batches(groups, torch.device("cpu")).inputs
    batches = [{name: values for name, values in batch.items() if name not in PLACES} for batch in read]
    return partial(make_smaller, size=size, batches=batches)


def _with_old_evidence(model: TrainedModel, module: nn.Module, folder: Path, known_head: Path | None) -> TrainedModel:
    """Return ``model`` writing the evidence head that its start has, as it was; what becomes of it is said."""
    if not (folder / SPANS_FILE).is_file():
        return model
    if known_head is None:
        return replace(model, notes=(*model.notes, HEAD_LEFT))
    config: Any = module.config
    read_span_head(folder, config.hidden_size)  # a damaged one is refused now, not when the result is opened

    def write_both(place: Path) -> None:
        model.write(place)
        shutil.copyfile(folder / SPANS_FILE, place / SPANS_FILE)

    return replace(model, write=write_both, old_evidence=True, notes=(*model.notes, HEAD_KEPT))


def _left(checkpoint: Checkpoint) -> tuple[str, ...]:
    """Say what was fitted to the scores of the start, and means nothing for those of the result."""
    record = checkpoint.config.get("secondpass")
    fitted = isinstance(record, dict) and WITH_LEXICAL in record
    said = (
        f"{WITH_LEXICAL} of config.json, fitted to the scores of the start, is left out: the result gives its own alone"
    )
    return (said,) if fitted else ()


def _head(checkpoint: Checkpoint, options: TrainOptions) -> str:
    if options.head == "auto":
        return "own" if checkpoint.kind == "cross-encoder" and len(checkpoint.labels) == 1 else "mean"
    if options.head == "own" and checkpoint.kind == "cross-encoder" and len(checkpoint.labels) != 1:
        raise InputError(
            f"The head of the model at {checkpoint.folder} has {len(checkpoint.labels)} outputs; a reranker is trained "
            'with one. Take head = "mean" or "first".'
        )
    return options.head
