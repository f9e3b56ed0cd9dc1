"""BGE's lightweight Gemma2 reranker (bge-reranker-v2.5-gemma2-lightweight), without the code of its repository.

A Gemma2 that stops after ``cutoff_layer`` layers, and before the layers ``compress_layers`` replaces every
``compress_ratio`` neighbouring tokens of the passage by their mean (arXiv:2409.15700). The layers themselves are those
of transformers. Two traits of the authors' code are kept, because the weights were published with them: attention
logits are not soft-capped (their default attention, torch's, does not do it), and the head is the one whose number is
the place of the layer among the layers asked for: with one layer, always the first head.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import Embedding
from torch.nn.functional import pad
from transformers import Gemma2Config, Gemma2Model
from transformers.models.gemma2.modeling_gemma2 import Gemma2RotaryEmbedding

from secondpass.errors import InputError
from secondpass.models.batching import make_batch, plan_on, run_batches
from secondpass.models.causal import LogitScorer, fingerprint_of, require_profile
from secondpass.models.causal_engine import DTYPES, check_options, padded
from secondpass.models.causal_pairs import CausalPairBuilder, QueryInputs
from secondpass.models.causal_templates import causal_template
from secondpass.models.causal_tokenizer import LanguageModelTokenizer
from secondpass.models.engine import Batch, EngineOptions
from secondpass.models.partial_checkpoint import CheckpointConfig, read_tensors
from secondpass.models.profile_records import RerankerProfile
from secondpass.models.torch_device import memory_errors
from secondpass.types import FloatArray

_LAYER_WEIGHTS = (
    "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj",
    "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj", "input_layernorm", "post_attention_layernorm",
    "pre_feedforward_layernorm", "post_feedforward_layernorm",
)  # fmt: skip
_COPIED_FIELDS = (
    "hidden_size", "intermediate_size", "num_attention_heads", "num_key_value_heads", "head_dim", "vocab_size",
    "max_position_embeddings", "rms_norm_eps", "rope_theta", "hidden_activation", "query_pre_attn_scalar",
    "sliding_window", "attention_bias",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Compression:
    """Where the model stops, and where and how much it shortens the passage; the README's example by default."""

    cutoff_layer: int = 28
    compress_ratio: int = 2
    compress_layers: tuple[int, ...] = (24, 40)


def open_lightweight(
    folder: Path,
    profile: RerankerProfile | None,
    options: EngineOptions | None = None,
    instruction: str | None = None,
    compression: Compression | None = None,
) -> LogitScorer:
    """Open a lightweight reranker; ``instruction`` is the prompt at the end, of which the model knows several.

    Raises:
        InputError: there is no profile, the layer has no head, or the checkpoint is of another kind.
    """
    options, compression = options or EngineOptions(), compression or Compression()
    known = require_profile(folder, profile, "lightweight")
    check_options(options, f"The language model {known.name}")
    if compression.compress_ratio not in {1, 2, 4, 8}:
        raise InputError(f"compress_ratio is {compression.compress_ratio}; accepted are 1, 2, 4 and 8.")
    tokenizer = LanguageModelTokenizer(folder)
    builder = CausalPairBuilder(tokenizer, causal_template(known.template), known, instruction)
    engine = LightweightEngine(folder, compression, options, builder.after_length)
    mark = fingerprint_of(folder, known, options, builder.instruction, compression)
    return LogitScorer(known.name, mark, known, builder, engine)


class LightweightEngine:
    """One logit per sequence; ``after_length`` tokens at the end of each are the prompt, which is never compressed."""

    def __init__(self, folder: Path, compression: Compression, options: EngineOptions, after_length: int) -> None:
        config = CheckpointConfig(folder)
        config.require("layer_wise", True)
        config.check_cutoff(compression.cutoff_layer)
        self.name, self.precision = "torch", options.precision
        self._compression, self._after_length = compression, after_length
        self._device = torch.device(options.device)
        self._soft_cap = config.fields.get("final_logit_softcapping")
        self._window = config.count("sliding_window")
        self._model, self._head = _load(folder, config, compression.cutoff_layer, options)
        self._embedding_scale = math.sqrt(config.count("hidden_size"))

    def values(self, inputs: QueryInputs) -> FloatArray:
        """Return float32 [B, 1] logits, in the order of the sequences."""
        sequences = inputs.sequences
        batches = plan_on(self._device.type, [len(ids) for ids in sequences])
        made = [make_batch([(sequences[index], inputs.passage_start) for index in batch]) for batch in batches]
        values = np.concatenate(run_batches(self, made).outputs)
        result = np.empty_like(values)
        result[[index for batch in batches for index in batch]] = values
        return result

    @torch.inference_mode()
    def run(self, batch: Batch) -> FloatArray:
        """Return float32 [B, 1] logits; the passages' pieces begin at ``batch.second_starts``."""
        with memory_errors():
            ids, last = padded(batch)
            lengths = last + 1
            hidden = self._model.embed_tokens(ids.to(self._device))
            hidden = hidden * torch.tensor(self._embedding_scale, dtype=hidden.dtype)
            for index, layer in enumerate(self._model.layers):
                if index in self._compression.compress_layers and index and self._compression.compress_ratio > 1:
                    hidden, lengths = self._compress(hidden, lengths, batch.second_starts)
                hidden = self._layer(layer, hidden, sliding=index % 2 == 0)
            at_end = self._model.norm(hidden[torch.arange(len(ids)), (lengths - 1).to(self._device)])
            logits = (at_end @ self._head.T).float()
        if self._soft_cap:
            logits = torch.tanh(logits / self._soft_cap) * self._soft_cap
        values: FloatArray = logits.cpu().numpy()
        return values

    def _layer(self, layer: Any, hidden: torch.Tensor, sliding: bool) -> torch.Tensor:
        positions = torch.arange(hidden.shape[1], device=self._device)
        distance = positions[:, None] - positions[None, :]
        unseen = (distance < 0) | (distance >= self._window) if sliding else distance < 0
        mask = torch.zeros_like(distance, dtype=hidden.dtype).masked_fill(unseen, torch.finfo(hidden.dtype).min)
        rotary = self._model.rotary_emb(hidden, positions[None])
        output = layer(
            hidden,
            position_embeddings=rotary,
            attention_mask=mask[None, None],
            position_ids=positions[None],
        )
        result: torch.Tensor = output[0] if isinstance(output, tuple) else output
        return result

    def _compress(
        self, hidden: torch.Tensor, lengths: torch.Tensor, starts: Sequence[int]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Replace each ``compress_ratio`` tokens of a passage by their mean; the last group may be smaller.

        Args:
            hidden: [B, L, D], padded on the right.
            lengths: int64 [B], the tokens of each row.
            starts: where each row's passage begins.
        """
        ratio = self._compression.compress_ratio
        rows: list[torch.Tensor] = []
        for row, length, start in zip(hidden, lengths.tolist(), starts, strict=True):
            end = length - self._after_length
            count = -(-(end - start) // ratio)
            groups = pad(row[start:end], (0, 0, 0, count * ratio - (end - start))).view(count, ratio, -1)
            sizes = torch.full((count, 1), ratio, dtype=row.dtype, device=row.device)
            if count:
                sizes[-1] = end - start - (count - 1) * ratio
            rows.append(torch.cat([row[:start], (groups / sizes[:, None]).sum(dim=1), row[end:length]]))
        shorter = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
        return shorter, torch.tensor([len(row) for row in rows])


def _load(folder: Path, config: CheckpointConfig, layers: int, options: EngineOptions) -> tuple[Any, torch.Tensor]:
    wanted = {"model.embed_tokens.weight": "embed_tokens.weight", "model.norm.weight": "norm.weight"}
    for index in range(layers):
        wanted |= {f"model.layers.{index}.{part}.weight": f"layers.{index}.{part}.weight" for part in _LAYER_WEIGHTS}
    wanted["lm_head.0.linear_head.weight"] = "head"
    dtype = DTYPES[options.precision]
    weights = {name: tensor.to(dtype) for name, tensor in read_tensors(folder, wanted).items()}
    head = weights.pop("head").to(options.device)
    fields = {name: config.fields[name] for name in _COPIED_FIELDS if name in config.fields}
    shape = Gemma2Config.from_dict(fields | {"num_hidden_layers": layers, "attn_logit_softcapping": None})
    with torch.device("meta"):
        model: Any = Gemma2Model(shape)
        model.embed_tokens = Embedding(shape.vocab_size, shape.hidden_size)  # Scaled by hand, whatever the version.
    # transformers refuses torch's attention here because it does not soft-cap, which is just what is wanted.
    model.config._attn_implementation = "sdpa"
    model.load_state_dict(weights, assign=True)
    model.rotary_emb = Gemma2RotaryEmbedding(shape)  # Its frequencies are no weights, and still on "meta".
    return model.to(options.device).eval(), head
