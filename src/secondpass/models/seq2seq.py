"""Rerankers that are encoder-decoders (monoT5, mT5, duoT5): one decoder step, the log-odds of two words.

The published score is the softmax over the two words, which is the logistic function of the log-odds.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoModelForSeq2SeqLM

from secondpass.errors import InputError
from secondpass.models.batching import make_batch, plan_on, run_batches
from secondpass.models.causal import LogitScorer, fingerprint_of, require_profile
from secondpass.models.causal_engine import (
    check_options,
    keep_rows,
    load_language_model,
    padded,
)
from secondpass.models.causal_pairs import CausalPairBuilder, QueryInputs
from secondpass.models.causal_templates import DUO_PASSAGES, sequence_template
from secondpass.models.causal_tokenizer import LanguageModelTokenizer
from secondpass.models.comparison import Comparisons
from secondpass.models.engine import Batch, EngineOptions, TokenIds
from secondpass.models.profile_records import RerankerProfile
from secondpass.models.torch_device import memory_errors
from secondpass.types import FloatArray


def open_seq2seq(folder: Path, profile: RerankerProfile | None, options: EngineOptions | None = None) -> LogitScorer:
    """Open a monoT5 or mT5 reranker.

    Raises:
        InputError: there is no profile, or the folder cannot be loaded.
    """
    options = options or EngineOptions()
    known = require_profile(folder, profile, "seq2seq")
    builder, engine = _open(folder, known, options)
    return LogitScorer(known.name, fingerprint_of(folder, known, options), known, builder, engine)


class SequenceEngine:
    """The logits of two tokens in the first decoder step, float32 [B, 2]; safe to share between threads."""

    def __init__(self, model: Any, token_ids: Sequence[int], options: EngineOptions) -> None:
        self.name, self.precision = "torch", options.precision
        self._model, self._device = model, torch.device(options.device)
        self._columns = None if keep_rows(model, token_ids) else list(token_ids)
        self._start = int(model.config.decoder_start_token_id or 0)

    def values(self, inputs: QueryInputs) -> FloatArray:
        """Return float32 [B, 2] logits, in the order of the sequences."""
        return self.logits(inputs.sequences)

    def logits(self, sequences: Sequence[TokenIds]) -> FloatArray:
        """Return float32 [B, 2] logits, in the order of ``sequences``."""
        batches = plan_on(self._device.type, [len(ids) for ids in sequences])
        made = [make_batch([(sequences[index], 0) for index in batch]) for batch in batches]
        values = np.concatenate(run_batches(self, made).outputs)
        result = np.empty_like(values)
        result[[index for batch in batches for index in batch]] = values
        return result

    @torch.inference_mode()
    def run(self, batch: Batch) -> FloatArray:
        """Return float32 [B, 2] logits of a batch."""
        ids, last = padded(batch)
        mask = (torch.arange(ids.shape[1])[None] <= last[:, None]).long()
        with memory_errors():
            logits = self._model(
                input_ids=ids.to(self._device),
                attention_mask=mask.to(self._device),
                decoder_input_ids=torch.full((len(ids), 1), self._start, device=self._device),
                use_cache=False,
            ).logits[:, 0]
        logits = logits.float().cpu()
        values: FloatArray = (logits if self._columns is None else logits[:, self._columns]).numpy()
        return values


class DuoComparator:
    """Compares passages two by two with a duoT5 model; safe to share between threads.

    ``calls`` are sequences through the model: one per pair. Two passages that do not fit together are cut to equal
    shares of the room; a short one leaves its share to the other.
    """

    def __init__(self, folder: Path, profile: RerankerProfile | None, options: EngineOptions | None = None) -> None:
        options = options or EngineOptions()
        self._profile = require_profile(folder, profile, "seq2seq-pairs")
        self._builder, self._engine = _open(folder, self._profile, options)
        self._tokenizer = self._builder.tokenizer
        self.fingerprint = fingerprint_of(folder, self._profile, options)

    @property
    def name(self) -> str:
        """The model's name."""
        return self._profile.name

    def compare(self, query: str, pairs: Sequence[tuple[str, str]]) -> Comparisons:
        """Return for each pair the probability that its first passage is the more relevant one."""
        if not pairs:
            return Comparisons(np.zeros(0, dtype=np.float32), np.zeros((0, 2), dtype=bool))
        read = self._builder.inputs(query, [_together(pair) for pair in pairs])
        long = [index for index, passage in enumerate(read.passages) if len(passage.sequences) > 1]
        sequences = [passage.sequences[0] for passage in read.passages]
        cut = np.zeros((len(pairs), 2), dtype=bool)
        if long:
            room = self._builder.passage_room(query)
            fitted = [self._fitted(pairs[index], room) for index in long]
            shorter = self._builder.inputs(query, [_together(pair) for pair, _ in fitted])
            for index, passage, (_, which) in zip(long, shorter.passages, fitted, strict=True):
                sequences[index] = passage.sequences[0]
                cut[index] = (which[0], which[1] or len(passage.sequences) > 1)
        logits = self._engine.logits(sequences)
        probabilities = 1 / (1 + np.exp(logits[:, 1] - logits[:, 0], dtype=np.float64))
        return Comparisons(probabilities.astype(np.float32), cut)

    def _fitted(self, pair: tuple[str, str], room: int) -> tuple[tuple[str, str], tuple[bool, bool]]:
        """Cut two passages so that together they fit into ``room`` tokens, and say which were cut."""
        first, second = (self._tokenizer.encode_with_offsets(text) for text in pair)
        frame = len(self._tokenizer.encode([_together(("", ""))])[0])
        space = room - frame - 8  # tokens that a cut text may need more at its seam
        share = max(space - min(len(first), len(second), space // 2), 1)
        kept = [min(len(text), share if len(text) >= space // 2 else len(text)) for text in (first, second)]
        texts = [
            text[: encoded.span(0, size).end] for text, encoded, size in zip(pair, (first, second), kept, strict=True)
        ]
        return (texts[0], texts[1]), (kept[0] < len(first), kept[1] < len(second))


def _together(pair: tuple[str, str]) -> str:
    return DUO_PASSAGES.format(first=pair[0], second=pair[1])


def _open(folder: Path, profile: RerankerProfile, options: EngineOptions) -> tuple[CausalPairBuilder, SequenceEngine]:
    check_options(options, f"The encoder-decoder {profile.name}")
    template = sequence_template(profile.template)
    tokenizer = LanguageModelTokenizer(folder)
    if template.negative is None:
        raise InputError(f"The input form {template.name!r} names one word; an encoder-decoder chooses between two.")
    token_ids = [tokenizer.token_id(template.positive), tokenizer.token_id(template.negative)]
    builder = CausalPairBuilder(tokenizer, template, profile)
    model = load_language_model(folder, options, AutoModelForSeq2SeqLM)
    return builder, SequenceEngine(model, token_ids, options)
