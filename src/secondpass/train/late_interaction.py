"""Late-interaction models in training: questions and passages to token vectors, MaxSim between them, gradients behind.

Texts are framed by the reader that serves (`LateInteractionReader`); of a long passage the first window is read. A
question is encoded once for all passages of its group.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import AutoConfig, AutoModel

from secondpass.errors import InputError
from secondpass.models.checkpoint import Checkpoint
from secondpass.models.colbert_settings import read_projection, read_settings
from secondpass.models.engine import TokenIds
from secondpass.models.late_interaction_reading import Kept, LateInteractionOptions, LateInteractionReader
from secondpass.models.module_list import transformer_folder
from secondpass.train.encoder import quiet, recompute_layers, set_dropout
from secondpass.train.groups import Group
from secondpass.train.late_folders import kept_form, new_form
from secondpass.train.options import TrainOptions
from secondpass.train.packing import padded, planned, tensors
from secondpass.train.reading import StepBatches, TrainedModel


class MaxSimPlan(NamedTuple):
    """Where the vectors of questions and passages stand among those of all batches, counted over padded tokens.

    ``queries``: int64 [G, Q], ``passages``: int64 [P, L], with bool arrays of which places are there; ``group``: int64
    [P], the question of each passage.
    """

    queries: Tensor
    query_there: Tensor
    passages: Tensor
    passage_there: Tensor
    group: Tensor


class MaxSimScores(nn.Module):
    """One score for every pair of a step: for every vector of the question its nearest of the passage, summed.

    ``mean`` divides by the number of the question's vectors.
    """

    def __init__(self, model: nn.Module, projection: Tensor, mean: bool) -> None:
        super().__init__()
        self.model = model
        self.projection = nn.Linear(projection.shape[1], projection.shape[0], bias=False)
        self.projection.weight = nn.Parameter(projection)
        self._mean = mean

    def forward(self, batches: Sequence[dict[str, Tensor]], plan: MaxSimPlan) -> Tensor:
        """Return float32 [P]."""
        vectors = torch.cat([self._vectors(batch) for batch in batches])  # (T, D)
        with torch.autocast(vectors.device.type, enabled=False):
            questions = vectors[plan.queries] * plan.query_there[..., None]  # (G, Q, D)
            products = questions[plan.group] @ vectors[plan.passages].transpose(1, 2)  # (P, Q, L)
            nearest = products.masked_fill(~plan.passage_there[:, None], torch.finfo(products.dtype).min).amax(dim=2)
            there = plan.query_there[plan.group]
            scores = (nearest * there).sum(dim=1)
            return scores / there.sum(dim=1) if self._mean else scores

    def _vectors(self, batch: dict[str, Tensor]) -> Tensor:
        states = self.projection(self.model(**batch).last_hidden_state)
        return functional.normalize(states.float(), dim=-1).flatten(0, 1)


@dataclass(frozen=True, slots=True, eq=False)
class _Sequence:
    """A sequence to encode: its ids, how many leading tokens are looked at, and which vectors count."""

    ids: TokenIds
    attended: int
    kept: Kept


class LateReader:
    """Reads questions and passages apart from each other."""

    def __init__(self, reader: LateInteractionReader, pad_id: int) -> None:
        self._reader, self._pad_id = reader, pad_id

    @property
    def max_tokens(self) -> int:
        """The longest passage."""
        return self._reader.settings.document_length

    @property
    def special_count(self) -> int:
        """How many tokens a passage has beside those of its text."""
        return self._reader.special_count

    @property
    def reads_together(self) -> bool:
        """Whether question and passage are one input: they are not."""
        return False

    def ids(self, texts: Sequence[str]) -> list[TokenIds]:
        """Return the ids of ``texts``, without special tokens."""
        return [text.ids for text in self._reader.tokenizer.encode(texts)]

    def batches(self, groups: Sequence[Group], device: torch.device) -> StepBatches:
        """Return the batches of all texts of ``groups``, and where their vectors will stand."""
        questions = [self._reader.query(group.query) for group in groups]
        passages = [one for group in groups for one in self._reader.passages(group.passages)]
        asked = [_Sequence(one.ids, one.attended, one.kept) for one in questions]
        read = [_Sequence(ids, len(ids), self._reader.kept(ids)) for ids in (one.sequences[0] for one in passages)]
        inputs, firsts = self._batched([*asked, *read], device)
        queries, query_there = _rows(asked, firsts[: len(asked)])
        rows, there = _rows(read, firsts[len(asked) :])
        group = torch.tensor([number for number, one in enumerate(groups) for _ in one.passages])
        plan = MaxSimPlan(queries, query_there, rows, there, group)
        cut = sum(
            one.truncated or questions[which].truncated for one, which in zip(passages, group.tolist(), strict=True)
        )
        return StepBatches(inputs, plan, len(passages), cut)

    def fits(self, query: str, passage: str) -> bool:
        """Say whether both texts are read whole."""
        return not (self._reader.query(query).truncated or self._reader.passages([passage])[0].truncated)

    def _batched(
        self, sequences: Sequence[_Sequence], device: torch.device
    ) -> tuple[list[dict[str, Tensor]], list[int]]:
        """Return padded batches, and the row of each sequence's first token among all of theirs."""
        batches, _ = planned([len(one.ids) for one in sequences], device)
        firsts, start, inputs = [0] * len(sequences), 0, []
        for batch in batches:
            ids = padded([sequences[index].ids for index in batch], self._pad_id)
            mask = np.zeros_like(ids)
            for row, index in enumerate(batch):
                mask[row, : sequences[index].attended] = 1
                firsts[index] = start + row * ids.shape[1]
            start += ids.size
            inputs.append(tensors({"input_ids": ids, "attention_mask": mask}))
        return inputs, firsts


def _rows(sequences: Sequence[_Sequence], firsts: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Return the rows of the vectors that count, int64 [B, L], and which places are there, bool [B, L]."""
    kept = [first + np.flatnonzero(one.kept) for one, first in zip(sequences, firsts, strict=True)]
    there = np.zeros((len(kept), max(len(one) for one in kept)), dtype=bool)
    for row, one in enumerate(kept):
        there[row, : len(one)] = True
    return torch.from_numpy(padded(kept, 0)), torch.from_numpy(there)


def open_trained(checkpoint: Checkpoint, options: TrainOptions) -> TrainedModel:
    """Open the late-interaction model of ``checkpoint``, or an encoder with a new projection, for training.

    Raises:
        InputError: its settings cannot be used, or transformers cannot load it.
    """
    known = checkpoint.kind == "late-interaction"
    if known:
        _check_kept(checkpoint.folder, options)
    model = _open_encoder(transformer_folder(checkpoint.folder), options)
    form = kept_form(checkpoint, options) if known else new_form(checkpoint, model.config.hidden_size, options)
    if form.vocabulary > model.config.vocab_size:
        model.resize_token_embeddings(form.vocabulary, mean_resizing=False)
    projection = torch.from_numpy(read_projection(checkpoint.folder)) if known else _new_projection(model, options)
    if options.gradient_checkpointing:
        recompute_layers(model)
    scores = MaxSimScores(model, projection, form.settings.mean)
    whole = LateInteractionOptions(cut_long=True)
    reader = LateInteractionReader(str(checkpoint.folder), form.settings, form.tokenizer, whole)
    pad_id = int(model.config.pad_token_id or 0)

    def write(place: Path) -> None:
        form.write(place, model, scores.projection.weight.detach())

    return TrainedModel(scores, LateReader(reader, pad_id), write, new_head=not known)


def _check_kept(folder: Path, options: TrainOptions) -> None:
    """Refuse what would have to be another in a model that has it."""
    has = {"projection": len(read_projection(folder)), "query_tokens": read_settings(folder).query_length}
    for name, own in has.items():
        given = getattr(options, name)
        if given not in (getattr(TrainOptions(), name), own):
            raise InputError(
                f"{name} is {given}; the model at {folder} has one of {own}, which it keeps: leave {name} out."
            )


def _open_encoder(folder: Path, options: TrainOptions) -> Any:
    torch.manual_seed(options.seed)  # of vectors of new tokens
    config: Any = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    set_dropout(config, options.dropout if options.dropout >= 0 else None)
    try:
        with quiet():
            model, loaded = AutoModel.from_pretrained(
                folder, config=config, trust_remote_code=False, use_safetensors=True, dtype=torch.float32,
                output_loading_info=True,
            )  # fmt: skip
    except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
        raise InputError(f"transformers cannot load the model at {folder}: {error}") from error
    if missing := [name for name in loaded["missing_keys"] if "pooler" not in name]:
        raise InputError(f"The weights in {folder} hold no {missing[0]!r}, which its architecture has; fetch it again.")
    return model


def _new_projection(model: Any, options: TrainOptions) -> Tensor:
    """Return a projection whose rows are orthogonal: what was near or far stays so, as far as it can."""
    made = torch.empty(options.projection, model.config.hidden_size)
    return nn.init.orthogonal_(made, generator=torch.Generator().manual_seed(options.seed))
