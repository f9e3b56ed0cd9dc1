"""BGE's layerwise MiniCPM reranker (bge-reranker-v2-minicpm-layerwise), without the code of its repository.

MiniCPM is Llama with three factors (arXiv:2404.06395): embeddings times ``scale_emb``, and what attention and MLP add
to the stream times ``scale_depth / sqrt(layers)``. Both are linear, so they are multiplied into the weights once; what
is left is a Llama of ``cutoff_layer`` layers, the final norm, and that layer's head of one row.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

from secondpass.models.causal import LogitScorer, fingerprint_of, require_profile
from secondpass.models.causal_engine import DTYPES, CausalEngine, check_options
from secondpass.models.causal_pairs import CausalPairBuilder
from secondpass.models.causal_templates import causal_template
from secondpass.models.causal_tokenizer import LanguageModelTokenizer
from secondpass.models.engine import EngineOptions
from secondpass.models.partial_checkpoint import CheckpointConfig, read_tensors
from secondpass.models.profile_records import RerankerProfile

DEFAULT_CUTOFF_LAYER = 28
_LAYER_WEIGHTS = (
    "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj",
    "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj", "input_layernorm", "post_attention_layernorm",
)  # fmt: skip
_ADDED_TO_STREAM = ("self_attn.o_proj.weight", "mlp.down_proj.weight")


def open_layerwise(
    folder: Path,
    profile: RerankerProfile | None,
    options: EngineOptions | None = None,
    instruction: str | None = None,
    cutoff_layer: int = DEFAULT_CUTOFF_LAYER,
) -> LogitScorer:
    """Open a layerwise reranker that stops after ``cutoff_layer`` layers; later layers are not even read.

    Raises:
        InputError: there is no profile, the layer has no head, or the checkpoint is of another kind.
    """
    options = options or EngineOptions()
    known = require_profile(folder, profile, "layerwise")
    check_options(options, f"The language model {known.name}")
    tokenizer = LanguageModelTokenizer(folder)
    builder = CausalPairBuilder(tokenizer, causal_template(known.template), known, instruction)
    engine = CausalEngine(_load(folder, cutoff_layer, options), [0], options)
    mark = fingerprint_of(folder, known, options, builder.instruction, cutoff_layer)
    return LogitScorer(known.name, mark, known, builder, engine)


def _load(folder: Path, cutoff_layer: int, options: EngineOptions) -> Any:
    config = CheckpointConfig(folder)
    config.require("head_type", "simple")
    config.require("rope_scaling", None)
    config.require("attention_bias", False)
    config.check_cutoff(cutoff_layer)
    wanted = {"model.embed_tokens.weight": "model.embed_tokens.weight", "model.norm.weight": "model.norm.weight"}
    for index in range(cutoff_layer):
        wanted |= {name: name for part in _LAYER_WEIGHTS for name in [f"model.layers.{index}.{part}.weight"]}
    head = f".{cutoff_layer - config.count('start_layer')}" if config.fields.get("head_multi", True) else ""
    wanted[f"lm_head{head}.linear_head.weight"] = "lm_head.weight"
    weights = read_tensors(folder, wanted)
    weights["model.embed_tokens.weight"] *= config.number("scale_emb")
    depth = config.number("scale_depth") / math.sqrt(config.number("num_hidden_layers"))
    for name in weights:
        if name.endswith(_ADDED_TO_STREAM):
            weights[name] *= depth
    shape = _llama_config(config, cutoff_layer)
    with torch.device("meta"):
        model: Any = LlamaForCausalLM(shape)
        model.lm_head = torch.nn.Linear(shape.hidden_size, 1, bias=False)
    dtype = DTYPES[options.precision]
    model.load_state_dict({name: tensor.to(dtype) for name, tensor in weights.items()}, assign=True)
    model.model.rotary_emb = LlamaRotaryEmbedding(shape)  # Its frequencies are no weights, and still on "meta".
    return model.eval().to(torch.device(options.device))


def _llama_config(config: CheckpointConfig, layers: int) -> LlamaConfig:
    names = ("hidden_size", "intermediate_size", "num_attention_heads", "vocab_size", "max_position_embeddings")
    fields: dict[str, Any] = {name: config.count(name) for name in names}
    return LlamaConfig.from_dict(
        fields
        | {
            "num_hidden_layers": layers,
            "num_key_value_heads": config.fields.get("num_key_value_heads") or fields["num_attention_heads"],
            "rms_norm_eps": config.number("rms_norm_eps"),
            "rope_theta": config.fields.get("rope_theta", 10_000.0),
            "hidden_act": config.fields.get("hidden_act", "silu"),
            "tie_word_embeddings": False,
        }
    )
