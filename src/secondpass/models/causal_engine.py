"""Causal language models in torch: the logits of a few tokens after the end of each sequence.

Sequences are padded on the right, where a causal model never looks: no mask is needed, no pad token either, and no
sequence's numbers depend on its neighbours. What all sequences begin with is computed once and kept as keys and values.
On a GPU nothing is padded where the architecture allows it (causal_packed.py), and a beginning is computed every time.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from safetensors import SafetensorError
from torch import nn
from transformers import AutoModelForCausalLM, DynamicCache
from transformers.utils.logging import disable_progress_bar

from secondpass.errors import InputError
from secondpass.models.batching import filled, make_batch, plan_on, run_batches
from secondpass.models.causal_packed import pack, packed_logits
from secondpass.models.causal_pairs import QueryInputs
from secondpass.models.engine import Batch, EngineOptions, Precision, TokenIds
from secondpass.models.torch_device import memory_errors, plan_no_shapes
from secondpass.types import FloatArray

DTYPES: dict[str, torch.dtype] = {"f32": torch.float32, "bf16": torch.bfloat16}
_LEAST_SHARED_TOKENS = 8
"""A shorter common beginning is not worth a forward pass of its own."""


class SequenceEngine(Protocol):
    """Turns sequences into C numbers each; safe to share between threads."""

    @property
    def precision(self) -> Precision:
        """How exactly it computes."""
        ...

    def values(self, inputs: QueryInputs) -> FloatArray:
        """Return float32 [B, C] for the sequences, in their order."""
        ...


def check_options(options: EngineOptions, what: str) -> None:
    """Refuse engines and precisions in which language models do not run here."""
    if options.name not in {"auto", "torch"}:
        raise InputError(f"{what} runs with the engine torch; {options.name!r} was asked for.")
    if options.precision not in DTYPES:
        raise InputError(f"{what} runs in f32 or bf16; {options.precision!r} was asked for.")
    if options.device != "cpu" and not torch.cuda.is_available() and options.device.startswith("cuda"):
        raise InputError(f"The device {options.device!r} was asked for, and torch finds no CUDA device here.")
    if options.device.startswith("cuda"):
        plan_no_shapes()
    if options.threads is not None:
        torch.set_num_threads(options.threads)


def load_language_model(folder: Path, options: EngineOptions, auto_class: Any = AutoModelForCausalLM) -> Any:
    """Load a model that generates text, from safetensors and without any code that comes with it."""
    disable_progress_bar()
    try:
        model = auto_class.from_pretrained(
            str(folder),
            dtype=DTYPES[options.precision],
            trust_remote_code=False,
            local_files_only=True,
            use_safetensors=True,
        )
    except (OSError, ValueError, KeyError, RuntimeError, ImportError, SafetensorError) as error:
        raise InputError(f"The model in {folder} cannot be loaded: {error}") from error
    return model.to(options.device).eval()


def keep_rows(model: Any, token_ids: Sequence[int]) -> bool:
    """Make the model's head give the logits of ``token_ids`` alone, in that order; False where it cannot be cut.

    The numbers are the same: a logit is one row times the hidden state, and what the model does before or after its
    head (scaling, soft caps) it goes on doing. A quantized head is left whole.
    """
    head = model.get_output_embeddings()
    if not isinstance(head, nn.Linear):
        return False
    rows = torch.tensor(list(token_ids), device=head.weight.device)
    small = nn.Linear(head.in_features, len(token_ids), bias=head.bias is not None, device="meta")
    small.weight = nn.Parameter(head.weight.detach()[rows].clone(), requires_grad=False)
    if head.bias is not None:
        small.bias = nn.Parameter(head.bias.detach()[rows].clone(), requires_grad=False)
    model.set_output_embeddings(small)
    return True


def shared_length(sequences: Sequence[TokenIds]) -> int:
    """Return how many tokens all ``sequences`` begin with; at least one of each is left over."""
    shared = min(len(ids) for ids in sequences) - 1
    first = sequences[0]
    for ids in sequences[1:]:
        different = np.nonzero(first[:shared] != ids[:shared])[0]
        if len(different):
            shared = int(different[0])
    return shared


class CausalEngine:
    """The logits of ``token_ids`` after the last token of each sequence."""

    def __init__(self, model: Any, token_ids: Sequence[int], options: EngineOptions) -> None:
        self._model = model
        self._columns = None if keep_rows(model, token_ids) else list(token_ids)
        self._device = torch.device(options.device)
        self._packed = pack(model, self._device)
        self.precision = options.precision
        self.name = "torch"

    def values(self, inputs: QueryInputs) -> FloatArray:
        """Return float32 [B, C] logits, in the order of the sequences."""
        sequences = inputs.sequences
        # A GPU computes a beginning again sooner than it copies its keys and values beside every sequence.
        on_cpu = self._device.type == "cpu" and not self._packed
        shared = shared_length(sequences) if len(sequences) > 1 and on_cpu else 0
        if shared < _LEAST_SHARED_TOKENS:
            return self._batches(sequences, None)
        return self._batches([ids[shared:] for ids in sequences], self._begin(sequences[0][:shared]))

    def run(self, batch: Batch) -> FloatArray:
        """Return float32 [B, C] logits of a batch of whole sequences."""
        return self.forward(batch, None)

    @torch.inference_mode()
    def _begin(self, ids: TokenIds) -> DynamicCache:
        """Return the keys and values of what all sequences begin with."""
        cache = DynamicCache()
        self._model(
            torch.from_numpy(ids)[None].to(self._device), past_key_values=cache, use_cache=True, logits_to_keep=1
        )
        return cache

    def _batches(self, sequences: Sequence[TokenIds], beginning: DynamicCache | None) -> FloatArray:
        lengths = [len(ids) for ids in sequences]
        batches = filled(lengths) if self._packed else plan_on(self._device.type, lengths)
        made = [make_batch([(sequences[index], 0) for index in batch]) for batch in batches]
        ran = run_batches(_Continuation(self, beginning), made)
        values = np.concatenate(ran.outputs)
        order = [index for batch in batches for index in batch]
        result = np.empty_like(values)
        result[order] = values
        return result

    @torch.inference_mode()
    def forward(self, batch: Batch, beginning: DynamicCache | None) -> FloatArray:
        """Return float32 [B, C] logits of sequences that go on where ``beginning`` ends."""
        if self._packed:
            with memory_errors():
                return self._numbers(packed_logits(self._model, batch, self._device))
        ids, last = padded(batch)
        keep = torch.unique(last)  # Only these positions go through the head.
        with memory_errors():
            cache = None if beginning is None else _repeated(beginning, len(batch.ids))
            logits = self._model(
                ids.to(self._device),
                past_key_values=cache,
                use_cache=cache is not None,
                logits_to_keep=keep.to(self._device),
            ).logits
        return self._numbers(logits[torch.arange(len(ids)), torch.searchsorted(keep, last).to(self._device)])

    def _numbers(self, logits: torch.Tensor) -> FloatArray:
        kept = logits if self._columns is None else logits[:, self._columns]
        values: FloatArray = kept.float().cpu().numpy()
        return values


class _Continuation:
    """An engine for sequences that all go on from the same beginning."""

    def __init__(self, engine: CausalEngine, beginning: DynamicCache | None) -> None:
        self._engine, self._beginning = engine, beginning
        self.name, self.precision = engine.name, engine.precision

    def run(self, batch: Batch) -> FloatArray:
        return self._engine.forward(batch, self._beginning)


def padded(batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    """Return ids int64 [B, L], filled up with zeros on the right, and the index of each row's last token, int64 [B]."""
    ids = torch.zeros((len(batch.ids), max(len(row) for row in batch.ids)), dtype=torch.int64)
    for index, row in enumerate(batch.ids):
        ids[index, : len(row)] = torch.from_numpy(row)
    return ids, torch.tensor([len(row) - 1 for row in batch.ids])


def _layers(cache: DynamicCache) -> list[Any]:
    return list(cache.layers)


def _repeated(cache: DynamicCache, count: int) -> DynamicCache:
    """Return a cache of ``count`` rows that all hold what ``cache``, of one row, holds."""
    repeated = DynamicCache()
    for index, layer in enumerate(_layers(cache)):
        repeated.update(layer.keys.expand(count, -1, -1, -1), layer.values.expand(count, -1, -1, -1), index)
    return repeated
