"""Causal language models in training: pairs in the form that serves them, the logit of a word or the difference of two.

Sequences are made by the builder that serves (`CausalPairBuilder`) and padded on the right, where a causal model never
looks. Of the head only the rows of the template's words are computed, and only at each sequence's last token.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from secondpass.errors import InputError, MissingExtraError
from secondpass.models.causal_engine import load_language_model
from secondpass.models.causal_pairs import CausalPairBuilder
from secondpass.models.causal_templates import causal_template
from secondpass.models.causal_tokenizer import LanguageModelTokenizer
from secondpass.models.checkpoint import Checkpoint
from secondpass.models.cross_encoder import position_limit
from secondpass.models.engine import EngineOptions, TokenIds
from secondpass.models.profiles import PROFILES, RerankerProfile, find_profile, recorded_profile
from secondpass.train.encoder import quiet, recompute_layers
from secondpass.train.groups import Group
from secondpass.train.opening import longest_input
from secondpass.train.options import TrainOptions
from secondpass.train.packing import padded, planned, tensors
from secondpass.train.reading import StepBatches, TrainedModel
from secondpass.train.saving import TOKENIZER_FILES, copy_files

_FILES = (*TOKENIZER_FILES, "chat_template.jinja", "chat_template.json", "generation_config.json")


class WordRows(nn.Module):
    """In place of a language model's head: the logits of a few words, from the head's own rows, in float32."""

    def __init__(self, head: nn.Linear, token_ids: Sequence[int]) -> None:
        super().__init__()
        self.head = head
        self.token_ids = list(token_ids)

    def forward(self, states: Tensor) -> Tensor:
        """Return float32 [..., C] of states [..., H]."""
        bias = None if self.head.bias is None else self.head.bias[self.token_ids].float()
        with torch.autocast(states.device.type, enabled=False):  # two near numbers are subtracted after it
            logits: Tensor = functional.linear(states.float(), self.head.weight[self.token_ids].float(), bias)
        return logits


class CausalScores(nn.Module):
    """One score for every pair of a step, gradients behind it."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, batches: Sequence[dict[str, Tensor]], order: Tensor) -> Tensor:
        """Return float32 [P], the scores of all ``batches`` in the order in which their pairs were given."""
        return torch.cat([self._scores(batch["input_ids"], batch["last"]) for batch in batches])[order]

    def _scores(self, ids: Tensor, last: Tensor) -> Tensor:
        keep = torch.unique(last)  # only these positions go through the head
        logits = self.model(input_ids=ids, use_cache=False, logits_to_keep=keep).logits  # (B, K, C)
        at_end: Tensor = logits[torch.arange(len(ids), device=ids.device), torch.searchsorted(keep, last)].float()
        return at_end[:, 0] - at_end[:, 1] if at_end.shape[1] == 2 else at_end[:, 0]


class CausalReader:
    """Reads pairs in a template; a passage that does not fit is cut, as it is where passages are served cut."""

    def __init__(self, folder: Path, profile: RerankerProfile) -> None:
        self._tokenizer = LanguageModelTokenizer(folder)
        template = causal_template(profile.template)
        words = (template.positive, template.negative) if template.negative else (template.positive,)
        self.word_ids = [self._tokenizer.first_id(word) for word in words]
        self._builder = CausalPairBuilder(self._tokenizer, template, replace(profile, windows="first"))
        self.max_tokens = profile.max_tokens

    @property
    def special_count(self) -> int:
        """How many tokens the template takes."""
        return self._builder.special_count

    @property
    def reads_together(self) -> bool:
        """Whether question and passage are one input: they are."""
        return True

    def ids(self, texts: Sequence[str]) -> list[TokenIds]:
        """Return the ids of ``texts``, without special tokens."""
        return [text.ids for text in self._tokenizer.encode(texts)]

    def batches(self, groups: Sequence[Group], device: torch.device) -> StepBatches:
        """Return the batches of all pairs of ``groups``, and the order of their scores."""
        read = [self._builder.inputs(group.query, group.passages) for group in groups]
        passages = [passage for one in read for passage in one.passages]
        sequences = [passage.sequences[0] for passage in passages]
        batches, order = planned([len(ids) for ids in sequences], device)
        inputs = [_batch([sequences[index] for index in batch]) for batch in batches]
        return StepBatches(inputs, order, len(passages), sum(passage.truncated for passage in passages))

    def fits(self, query: str, passage: str) -> bool:
        """Say whether a pair is read whole."""
        return not self._builder.inputs(query, [passage]).passages[0].truncated


def _batch(sequences: Sequence[TokenIds]) -> dict[str, Tensor]:
    last = np.array([len(ids) - 1 for ids in sequences], dtype=np.int64)
    return tensors({"input_ids": padded(sequences, 0), "last": last})


def open_trained(checkpoint: Checkpoint, options: TrainOptions) -> TrainedModel:
    """Open the causal language model of ``checkpoint`` for training: all of its weights, or LoRA updates beside them.

    Raises:
        InputError: its form of input is not known, or its head cannot be trained.
        MissingExtraError: LoRA is asked for, and peft is not installed.
    """
    folder = checkpoint.folder
    profile = _profile(checkpoint, options)
    most = min(profile.max_tokens, position_limit(checkpoint))
    profile = replace(profile, max_tokens=longest_input(folder, most, options))
    reader = CausalReader(folder, profile)
    model = load_language_model(folder, EngineOptions("torch"))
    head = model.get_output_embeddings()
    if not isinstance(head, nn.Linear):
        raise InputError(
            f"The head of the model at {folder} is a {type(head).__name__}; trained is a plain matrix. Start from the "
            "weights as they were before they were quantized."
        )
    set_module_dropout(model, options.dropout)
    prepare_adapter = _adapter(model, options)
    model.set_output_embeddings(WordRows(head, reader.word_ids))
    if options.gradient_checkpointing:
        recompute_layers(model)

    def write(place: Path) -> None:
        model.set_output_embeddings(head)
        plain = prepare_adapter(place / "adapter")
        taught = {"profile": profile_name(checkpoint, options), "max_tokens": profile.max_tokens}
        plain.config.secondpass = taught | {"version": version("secondpass")}
        copy_files(folder, place, _FILES)
        with quiet():
            plain.save_pretrained(place)

    return TrainedModel(CausalScores(model), reader, write)


def set_module_dropout(model: nn.Module, dropout: float) -> None:
    """Set the dropout of all layers of an open model; a negative one leaves the model's own."""
    if dropout < 0:
        return
    parts: Iterable[Any] = model.modules()
    for part in parts:
        if isinstance(part, nn.Dropout):
            part.p = dropout
        if hasattr(part, "attention_dropout"):
            part.attention_dropout = dropout


def _adapter(model: Any, options: TrainOptions) -> Callable[[Path], Any]:
    """Put LoRA updates beside the weights where asked for; return what writes them and gives the merged model."""
    if not options.lora_rank:
        return lambda _: model
    if find_spec("peft") is None:
        raise MissingExtraError("Training by LoRA (peft)", "train")
    adapters: Any = importlib.import_module("secondpass.train.adapters")
    added: Callable[[Path], Any] = adapters.add_adapter(model, options)
    return added


def profile_name(checkpoint: Checkpoint, options: TrainOptions) -> str:
    """Return the name of the known model whose form of input is taught; empty where nothing says one.

    What was asked for comes first, then what a model trained here records, then the model's own name.
    """
    if options.profile:
        return options.profile
    record = checkpoint.config.get("secondpass")
    if recorded_profile(checkpoint.folder) and isinstance(record, dict):
        return str(record["profile"])
    found = find_profile(options.model) or find_profile(checkpoint.folder)
    return found.name if found else ""


def _profile(checkpoint: Checkpoint, options: TrainOptions) -> RerankerProfile:
    name = profile_name(checkpoint, options)
    known = [profile.name for profile in PROFILES if profile.family == "causal"]
    found = find_profile(name) if name else None
    if found is None or found.family != "causal":
        said = f"profile is {name!r}, which" if name else f"The language model at {checkpoint.folder}"
        what = f"is of the family {found.family}" if found else "names no known model" if name else "has no known form"
        raise InputError(
            f"{said} {what}: a reranker is taught, and served, in one form of input. Name the known model whose form "
            f"it is to be, such as profile = {known[1]}; accepted are {', '.join(known)}."
        )
    return found
