"""Tiny random language models of the real architectures, the same on every machine and for every version of a library.

Weights are drawn by numpy's seeded generator in the order of the tables below; the tokenizer is a file beside the
golden numbers. Needs numpy and safetensors only, so that a reference library's environment builds the same models.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
TOKENIZER = GOLDEN / "causal_tokenizer.json"
VOCABULARY = 640
_Shapes = Iterator[tuple[str, tuple[int, ...]]]

_DECODER: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 4096,
    "rms_norm_eps": 1e-6,
    "vocab_size": VOCABULARY,
    "bos_token_id": 2,
    "eos_token_id": 1,
    "pad_token_id": 0,
    "attention_dropout": 0.0,
    "torch_dtype": "float32",
}
CONFIGS: dict[str, dict[str, Any]] = {
    "gemma": _DECODER | {
        "model_type": "gemma", "architectures": ["GemmaForCausalLM"], "head_dim": 8, "rope_theta": 10000.0,
        "hidden_act": "gelu_pytorch_tanh", "hidden_activation": "gelu_pytorch_tanh", "tie_word_embeddings": True,
        "attention_bias": False,
    },
    "qwen3": _DECODER | {
        "model_type": "qwen3", "architectures": ["Qwen3ForCausalLM"], "head_dim": 8, "rope_theta": 1000000,
        "hidden_act": "silu", "tie_word_embeddings": True, "attention_bias": False,
    },
    "qwen2": _DECODER | {
        "model_type": "qwen2", "architectures": ["Qwen2ForCausalLM"], "rope_theta": 1000000.0, "hidden_act": "silu",
        "tie_word_embeddings": False,
    },
    "llama": _DECODER | {
        "model_type": "llama", "architectures": ["LlamaForCausalLM"], "head_dim": 8, "rope_theta": 10000.0,
        "hidden_act": "silu", "tie_word_embeddings": False, "attention_bias": False,
    },
    "minicpm": _DECODER | {
        "model_type": "minicpm", "architectures": ["LayerWiseMiniCPMForCausalLM"], "num_hidden_layers": 4,
        "num_key_value_heads": 4, "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "rope_scaling": None,
        "hidden_act": "silu", "scale_emb": 12, "scale_depth": 1.4, "dim_model_base": 16, "start_layer": 2,
        "head_multi": True, "head_type": "simple", "tie_word_embeddings": False, "attention_bias": False,
        "pretraining_tp": 1,
    },
    "gemma2": _DECODER | {
        "model_type": "cost_wise_gemma", "architectures": ["CostWiseGemmaForCausalLM"], "num_hidden_layers": 6,
        "head_dim": 8, "rope_theta": 10000.0, "hidden_act": "gelu_pytorch_tanh",
        "hidden_activation": "gelu_pytorch_tanh", "query_pre_attn_scalar": 8, "sliding_window": 24,
        "attn_logit_softcapping": 5.0, "final_logit_softcapping": 3.0, "start_layer": 1, "layer_sep": 1,
        "layer_wise": True, "tie_word_embeddings": False, "attention_bias": False, "cache_implementation": "hybrid",
    },
}  # fmt: skip


def make_causal(folder: Path, kind: str, seed: int = 11, pad: str = "<pad>", **overrides: Any) -> Path:
    """Write a model folder of ``kind``: config.json, model.safetensors, and the tokenizer with that pad token."""
    folder.mkdir(parents=True, exist_ok=True)
    config = CONFIGS[kind] | overrides
    (folder / "config.json").write_text(json.dumps(config, indent=1), encoding="utf-8")
    rng = np.random.default_rng(seed)
    weights = {name: _draw(rng, name, shape, kind) for name, shape in _shapes(kind, config)}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    write_tokenizer(folder, pad)
    return folder


def make_decoder_classifier(folder: Path, kind: str, labels: int = 1, pad: str = "<pad>", **overrides: Any) -> Path:
    """Write a model folder of ``kind`` whose head is a classifier's, as conversions of causal rerankers have it."""
    architecture = CONFIGS[kind]["architectures"][0].replace("ForCausalLM", "ForSequenceClassification")
    names = {str(index): f"LABEL_{index}" for index in range(labels)}
    label_ids = {name: int(index) for index, name in names.items()}
    made = {"architectures": [architecture], "id2label": names, "label2id": label_ids} | overrides
    make_causal(folder, kind, pad=pad, **made)
    weights = load_file(folder / "model.safetensors")
    weights.pop("lm_head.weight", None)
    rng = np.random.default_rng(5)
    weights["score.weight"] = rng.standard_normal((labels, _DECODER["hidden_size"])).astype(np.float32)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def write_tokenizer(folder: Path, pad: str = "<pad>") -> None:
    """Copy the tokenizer into ``folder``; without a pad token where ``pad`` is empty."""
    shutil.copy(TOKENIZER, folder / "tokenizer.json")
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<bos>", "eos_token": "<eos>", "unk_token": "<unk>",
        "model_max_length": 4096, "padding_side": "left", "clean_up_tokenization_spaces": False,
        **({"pad_token": pad} if pad else {}),
    }  # fmt: skip
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")


def _draw(rng: np.random.Generator, name: str, shape: tuple[int, ...], kind: str) -> np.ndarray[Any, Any]:
    values = rng.standard_normal(shape)
    if "norm" in name:
        return (0.1 * values + (0.0 if kind.startswith("gemma") else 1.0)).astype(np.float32)
    if "embed_tokens" in name:
        return (values * (1 / 12 if kind == "minicpm" else 0.3)).astype(np.float32)
    return (values * 1.6 / math.sqrt(shape[-1])).astype(np.float32)


def _shapes(kind: str, config: dict[str, Any]) -> _Shapes:
    hidden, inner = config["hidden_size"], config["intermediate_size"]
    heads, groups = config["num_attention_heads"], config["num_key_value_heads"]
    head = config.get("head_dim") or hidden // heads
    yield "model.embed_tokens.weight", (config["vocab_size"], hidden)
    for index in range(config["num_hidden_layers"]):
        layer = f"model.layers.{index}."
        for name, rows in (("q", heads * head), ("k", groups * head), ("v", groups * head)):
            yield f"{layer}self_attn.{name}_proj.weight", (rows, hidden)
            if kind == "qwen2":
                yield f"{layer}self_attn.{name}_proj.bias", (rows,)
        yield f"{layer}self_attn.o_proj.weight", (hidden, heads * head)
        if kind == "qwen3":
            yield f"{layer}self_attn.q_norm.weight", (head,)
            yield f"{layer}self_attn.k_norm.weight", (head,)
        yield f"{layer}mlp.gate_proj.weight", (inner, hidden)
        yield f"{layer}mlp.up_proj.weight", (inner, hidden)
        yield f"{layer}mlp.down_proj.weight", (hidden, inner)
        yield f"{layer}input_layernorm.weight", (hidden,)
        yield f"{layer}post_attention_layernorm.weight", (hidden,)
        if kind == "gemma2":
            yield f"{layer}pre_feedforward_layernorm.weight", (hidden,)
            yield f"{layer}post_feedforward_layernorm.weight", (hidden,)
    yield "model.norm.weight", (hidden,)
    yield from _heads(config)


def _heads(config: dict[str, Any]) -> _Shapes:
    hidden = config["hidden_size"]
    if "start_layer" not in config:
        if not config["tie_word_embeddings"]:
            yield "lm_head.weight", (config["vocab_size"], hidden)
    elif config.get("head_multi", True):
        for index in range(
            len(range(config["start_layer"], config["num_hidden_layers"] + 1, config.get("layer_sep", 1)))
        ):
            yield f"lm_head.{index}.linear_head.weight", (1, hidden)
    else:
        yield "lm_head.linear_head.weight", (1, hidden)
