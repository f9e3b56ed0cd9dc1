"""A sequence classifier in training: pairs of texts in, one logit a pair out, gradients behind it.

Pairs are cut and joined as they are when the trained model serves (`PairTemplate`), batches are planned by the planner
that serves, and of the last layer only the first token is computed, where the architecture is known: what is not read
needs no gradient either.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import AutoConfig, AutoModelForSequenceClassification
from transformers.utils import logging

from secondpass.errors import InputError
from secondpass.models.engine import TokenIds
from secondpass.models.pair_reading import longest_first
from secondpass.models.tokenizer import TextTokenizer
from secondpass.train.answer_places import PLACES, Places, answer_places
from secondpass.train.groups import Group
from secondpass.train.imitation import Seen, Teacher, imitation_losses
from secondpass.train.mean_layer import KINDS, add_mean_layer
from secondpass.train.packing import padded, planned, tensors
from secondpass.train.quick import quick_on_cpu
from secondpass.train.reading import StepBatches

_DROPOUTS = (
    "hidden_dropout_prob", "attention_probs_dropout_prob", "classifier_dropout", "mlp_dropout", "attention_dropout",
    "embedding_dropout",
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """The ids of one pair, int64 [L], and where its second text begins (L where nothing tells the two apart).

    ``passage``: where the passage begins and ends. ``answers``: first and last token of each place of the answer.
    """

    ids: TokenIds
    second_start: int
    passage: tuple[int, int] = (0, 0)
    answers: Places = ()


@dataclass(frozen=True, slots=True)
class Encoded:
    """Pairs of one question, and how many of them had to be cut to fit."""

    pairs: tuple[Pair, ...]
    cut: int


class PairEncoder:
    """Makes pairs of token ids as the model's tokenizer joins them, cut at ``max_tokens``, the longer text first."""

    def __init__(self, folder: Path, segment_count: int, max_tokens: int, pad_id: int = 0) -> None:
        self._tokenizer = TextTokenizer(folder)
        self._template = self._tokenizer.pair_template(segment_count)
        self._pad_id, self._segments = pad_id, segment_count > 1
        self.max_tokens = max_tokens

    @property
    def special_count(self) -> int:
        """How many tokens a pair has beside those of its texts."""
        return self._template.special_count

    @property
    def reads_together(self) -> bool:
        """Whether question and passage are one input: they are."""
        return True

    def ids(self, texts: Sequence[str]) -> list[TokenIds]:
        """Return the ids of ``texts``, without special tokens."""
        return [text.ids for text in self._tokenizer.encode(texts)]

    def encode(self, query: str, passages: Sequence[str], answers: Sequence[str] = ()) -> Encoded:
        """Return the pairs of ``query`` with each of ``passages``; ``answers`` are looked for in the first one."""
        question, *texts = self._tokenizer.encode([query, *passages])
        room = self.max_tokens - self._template.special_count
        pairs, cut = [], 0
        for number, text in enumerate(texts):
            kept = longest_first(len(question), len(text), room)
            cut += kept != (len(question), len(text))
            start = len(self._template.prefix) + kept[0] + len(self._template.middle)
            places: Places = ()
            if number == 0 and answers and text.offsets is not None:
                found = answer_places(passages[0], text.offsets[: kept[1]], answers)
                places = tuple((start + first, start + last) for first, last in found)
            ids, second_start = self._template.join(question.ids[: kept[0]], text.ids[: kept[1]])
            pairs.append(Pair(ids, second_start, (start, start + kept[1]), places))
        return Encoded(tuple(pairs), cut)

    def batches(self, groups: Sequence[Group], device: torch.device) -> StepBatches:
        """Return the batches of all pairs of ``groups`` as ``device`` computes them, and the order of their logits."""
        encoded = [self.encode(group.query, group.passages, group.answers) for group in groups]
        pairs = [pair for one in encoded for pair in one.pairs]
        inputs, order = batches_of(pairs, self._pad_id, self._segments, device)
        return StepBatches(inputs, order, len(pairs), sum(one.cut for one in encoded))

    def fits(self, query: str, passage: str) -> bool:
        """Say whether a pair is read whole."""
        return not self.encode(query, [passage]).cut


class ClassifierScores(nn.Module):
    """One logit for every pair of a step; a module of its own, so that what wraps modules (DDP, FSDP) sees one pass.

    A ``teacher`` is imitated while the module trains.
    """

    def __init__(self, model: nn.Module, teacher: Teacher | None = None) -> None:
        super().__init__()
        self.model = model
        self._teacher = teacher
        self._states: list[Tensor] = []

    def forward(self, batches: Sequence[dict[str, Tensor]], order: Tensor) -> Tensor:
        """Return what is computed of all ``batches`` in the order in which their pairs were given.

        float32 [P], their logits; or [P, 3], what is learned beside them behind each: where answers stand, and how far
        it is from the teacher.
        """
        looked_up = embedded(self.model, batches)
        return torch.cat([self.row(*pair) for pair in zip(batches, looked_up, strict=True)])[order]

    @property
    def taught(self) -> bool:
        """Whether a teacher is imitated."""
        return self._teacher is not None

    def row(self, batch: dict[str, Tensor], looked_up: dict[str, Tensor]) -> Tensor:
        """Return what is computed of one batch, given with the ids and with the vectors of its tokens."""
        if not self._teacher or not self.training:
            return self.logits(looked_up)
        seen = self.seen(looked_up)
        return torch.stack([seen.logits, torch.zeros_like(seen.logits), self.imitated(seen, batch)], dim=1)

    def imitated(self, seen: Seen, batch: dict[str, Tensor]) -> Tensor:
        """Return float32 [B], how far each pair is from what the teacher makes of it; 0 where nobody teaches."""
        if not self._teacher or not self.training:
            return torch.zeros_like(seen.logits)
        return imitation_losses(seen, self._teacher.seen(batch), batch)

    def seen(self, batch: dict[str, Tensor]) -> Seen:
        """Return what the model makes of one batch; its states have to be kept (`keep_states`)."""
        self._states = []
        logits = self.logits(batch)
        return Seen(logits, tuple(self._states), None)

    def keep_states(self) -> None:
        """Have the states before every layer but the first kept, for `seen`.

        Raises:
            InputError: the architecture has no such layers that are known.
        """
        base = getattr(self.model, str(self.model.base_model_prefix), None)
        layers = getattr(getattr(base, "encoder", None), "layer", None)
        if layers is None:
            config: Any = self.model.config
            raise InputError(
                f"Evidence and a teacher's states are learned before an encoder's last layer; the architecture "
                f"{config.model_type} has none that are known. Leave evidence and teacher out."
            )
        for layer in layers[1:] or layers:
            layer.register_forward_pre_hook(self._keep)

    def _keep(self, _: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        self._states.append(inputs[0])

    def logits(self, batch: dict[str, Tensor]) -> Tensor:
        """Return float32 [B], the logits of one batch; where answers stand in it is not looked at."""
        inputs = {name: values for name, values in batch.items() if name not in PLACES}
        logits: Tensor = self.model(**inputs).logits[:, 0].float()
        return logits


def embedded(model: Any, batches: Sequence[dict[str, Tensor]]) -> Sequence[dict[str, Tensor]]:
    """Return ``batches`` with the vectors of their tokens in place of the ids, all looked up at once.

    The gradient of every look-up is as large as the whole table: one a step instead of one a batch.
    """
    if model.config.model_type not in KINDS:
        return batches
    ids = [batch["input_ids"] for batch in batches]
    vectors = model.get_input_embeddings()(torch.cat([one.flatten() for one in ids]))
    parts = vectors.split([one.numel() for one in ids])
    return [
        {name: values for name, values in batch.items() if name != "input_ids"}
        | {"inputs_embeds": part.view(*one.shape, -1)}
        for batch, one, part in zip(batches, ids, parts, strict=True)
    ]


def open_classifier(
    folder: Path, head: str, dropout: float | None, seed: int, smaller: Callable[[Any], Any] | None = None
) -> nn.Module:
    """Open the encoder in ``folder`` as a classifier with one logit.

    ``head``: ``own`` keeps the model's, ``mean`` puts a new one on the mean of the tokens, ``first`` on the first.
    ``smaller`` makes a smaller model of it first.

    Raises:
        InputError: the head is not there, or cannot be made for this architecture.
    """
    torch.manual_seed(seed)  # a new head is drawn at random
    config: Any = AutoConfig.from_pretrained(folder, num_labels=1, trust_remote_code=False)
    set_dropout(config, dropout)
    with quiet():
        model, loaded = AutoModelForSequenceClassification.from_pretrained(
            folder, config=config, trust_remote_code=False, use_safetensors=True, dtype=torch.float32,
            output_loading_info=True, ignore_mismatched_sizes=head != "own",
        )  # fmt: skip
    fresh = [name for name in loaded["missing_keys"] if "classifier" in name or "score" in name]
    if head == "own" and fresh:
        raise InputError(f"The model at {folder} has no head of a reranker ({', '.join(fresh)}); take another head.")
    if smaller:
        model = smaller(model)
    if head == "mean":
        add_mean_layer(model)
    if model.config.model_type in KINDS:
        _compute_first_token_only(getattr(model, model.base_model_prefix).encoder.layer[-1])
    trained: nn.Module = model
    return trained


def set_dropout(config: Any, dropout: float | None) -> None:
    """Set the dropout of all layers; None leaves the model's own."""
    if dropout is None:
        return
    for name in _DROPOUTS:
        if hasattr(config, name):
            setattr(config, name, dropout)


def recompute_layers(model: Any) -> None:
    """Have layers computed twice instead of keeping what they gave (Chen et al., arXiv:1604.06174)."""
    older = not hasattr(model, "activation_checkpointing_enable")  # the name that transformers 5 began with
    enable = model.gradient_checkpointing_enable if older else model.activation_checkpointing_enable

    def contexts() -> tuple[AbstractContextManager[object], AbstractContextManager[object]]:
        return nullcontext(), quick_on_cpu(next(model.parameters()).device)

    enable({"use_reentrant": False, "context_fn": contexts})


@contextmanager
def quiet() -> Iterator[None]:
    """Keep transformers from reporting a new head, which is ours to report, and from drawing bars."""
    before, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(before)
        if bars:
            logging.enable_progress_bar()


def _compute_first_token_only(layer: Any) -> None:
    """Let a layer return the first token's state alone, [B, L, H] -> [B, 1, H]; its weights stay where they are."""
    attention = layer.attention.self

    def heads(vectors: Tensor) -> Tensor:
        return vectors.view(*vectors.shape[:2], -1, attention.attention_head_size).transpose(1, 2)

    def forward(states: Tensor, mask: Tensor | None = None, *_: object, **__: object) -> Tensor:
        first = states[:, :1]
        context = functional.scaled_dot_product_attention(
            heads(attention.query(first)),
            heads(attention.key(states)),
            heads(attention.value(states)),
            attn_mask=None if mask is None else mask[:, :, :1],
            dropout_p=attention.dropout.p if layer.training else 0.0,
        )  # (B, heads, 1, H / heads)
        own = layer.attention.output(context.transpose(1, 2).flatten(2), first)
        result: Tensor = layer.feed_forward_chunk(own)
        return result

    layer.forward = forward


def batches_of(
    pairs: Sequence[Pair], pad_id: int, segments: bool, device: torch.device
) -> tuple[list[dict[str, Tensor]], Tensor]:
    """Return ``pairs`` as padded batches of like lengths for ``device``, and int64 [P], where each logit will stand."""
    groups, order = planned([len(pair.ids) for pair in pairs], device)
    batches = [_padded([pairs[index] for index in group], pad_id, segments) for group in groups]
    return batches, order


def _padded(pairs: Sequence[Pair], pad_id: int, segments: bool) -> dict[str, Tensor]:
    ids = padded([pair.ids for pair in pairs], pad_id)
    mask, types = np.zeros_like(ids), np.zeros_like(ids)
    for row, pair in enumerate(pairs):
        mask[row, : len(pair.ids)] = 1
        types[row, pair.second_start : len(pair.ids)] = 1
    arrays: dict[str, npt.NDArray[Any]] = {"input_ids": ids, "attention_mask": mask}
    arrays |= {"token_type_ids": types} if segments else {}
    return tensors(arrays | _places(pairs, ids.shape[1]))


def _places(pairs: Sequence[Pair], width: int) -> dict[str, npt.NDArray[np.bool_]]:
    """Return which tokens are the passage's, and which begin and end an answer where any is known, bool [B, L]."""
    passage, firsts, lasts = (np.zeros((len(pairs), width), dtype=bool) for _ in PLACES)
    for row, pair in enumerate(pairs):
        passage[row, slice(*pair.passage)] = True
        for first, last in pair.answers:
            firsts[row, first] = lasts[row, last] = True
    known = PLACES if firsts.any() else PLACES[:1]
    return dict(zip(known, (passage, firsts, lasts), strict=False))
