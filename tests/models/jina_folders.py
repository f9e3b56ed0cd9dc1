"""Small random XLM-R encoders as jina publishes them, and what they compute, written down in plain torch.

The settings are those of jina-reranker-v2-base-multilingual's config.json, which names no model_type, and for
jina-colbert-v2 the fields of XLMRobertaFlashConfig. The tensors are those that flash-attention's BERT has.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from tests.models.tiny_models import unigram
from torch import Tensor

from secondpass.models.engine import Batch

HIDDEN, HEADS, INNER, LAYERS, PROJECTED = 48, 4, 96, 3, 16
MARKERS = ("[QueryMarker]", "[DocumentMarker]")
BASE = 10_000.0
_OWN_CODE = "jinaai/xlm-roberta-flash-implementation--"


def make_jina(folder: Path, positions: str = "absolute", limit: int = 512, labels: int = 1, **changes: object) -> Path:
    """Write a random classifier whose positions are ``absolute`` or ``rotary``; ``limit``: the most tokens it reads."""
    tokenizer = unigram()
    sizes = {"hidden_size": HIDDEN, "num_attention_heads": HEADS, "num_hidden_layers": LAYERS, **changes}
    config = {
        "architectures": ["XLMRobertaForSequenceClassification"],
        "auto_map": {
            "AutoConfig": "configuration_xlm_roberta.XLMRobertaFlashConfig",
            "AutoModelForSequenceClassification": "modeling_xlm_roberta.XLMRobertaForSequenceClassification",
        },
        "vocab_size": tokenizer.get_vocab_size(),
        "intermediate_size": INNER,
        "hidden_act": "gelu",
        "id2label": {str(number): f"LABEL_{number}" for number in range(labels)},
        "layer_norm_eps": 1e-5,
        "max_position_embeddings": limit + 2,
        "pad_token_id": 1,
        "position_embedding_type": positions,
        "type_vocab_size": 1,
        "use_flash_attn": True,
        **({"rotary_emb_base": BASE} if positions == "rotary" else {}),
        **sizes,
    }
    return _write(folder, config, _tensors(config, labels))


def make_jina_colbert(folder: Path, limit: int = 256) -> Path:
    """Write a random ColBERT as jina-colbert-v2 is published: rotary, bfloat16, markers that are added tokens."""
    made = make_jina(folder, "rotary", limit)
    tokenizer = unigram()
    tokenizer.add_tokens(list(MARKERS))
    tokenizer.save(str(made / "tokenizer.json"))
    config = json.loads((made / "config.json").read_text(encoding="utf-8"))
    config |= {
        "architectures": ["HF_ColBERT"],
        "auto_map": {"AutoConfig": f"{_OWN_CODE}configuration_xlm_roberta.XLMRobertaFlashConfig"},
        "model_type": "xlm-roberta",
        "vocab_size": tokenizer.get_vocab_size(),
    }
    tensors = {name: value for name, value in _tensors(config, 1).items() if not name.startswith("classifier")}
    generator = torch.Generator().manual_seed(11)
    tensors["linear.weight"] = torch.randn(PROJECTED, HIDDEN, generator=generator) * 0.3
    _write_json(made / "config.json", config)
    save_file({name: value.bfloat16() for name, value in tensors.items()}, made / "model.safetensors")
    query, document = MARKERS
    _write_json(
        made / "artifact.metadata",
        {"query_maxlen": 32, "doc_maxlen": 100, "query_token_id": query, "doc_token_id": document,
         "attend_to_mask_tokens": False, "mask_punctuation": True, "dim": PROJECTED},
    )  # fmt: skip
    return made


def _write(folder: Path, config: dict[str, object], tensors: dict[str, Tensor]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    _write_json(folder / "config.json", config)
    names = {"bos": "<s>", "cls": "<s>", "eos": "</s>", "sep": "</s>", "pad": "<pad>", "unk": "<unk>", "mask": "<mask>"}
    settings = {f"{role}_token": token for role, token in names.items()}
    length = int(str(config["max_position_embeddings"])) - 2
    _write_json(
        folder / "tokenizer_config.json",
        settings | {"tokenizer_class": "XLMRobertaTokenizer", "model_max_length": length},
    )
    unigram().save(str(folder / "tokenizer.json"))
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def _write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")


def _tensors(config: dict[str, object], labels: int) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(7)
    hidden, inner, layers = (
        int(str(config[name])) for name in ("hidden_size", "intermediate_size", "num_hidden_layers")
    )
    tensors: dict[str, Tensor] = {}

    def matrix(name: str, *size: int, spread: float) -> None:
        tensors[name] = torch.randn(size, generator=generator) * spread

    def linear(name: str, outputs: int, inputs: int) -> None:
        matrix(f"{name}.weight", outputs, inputs, spread=1.4 / math.sqrt(inputs))
        matrix(f"{name}.bias", outputs, spread=0.1)

    def norm(name: str) -> None:
        matrix(f"{name}.weight", hidden, spread=0.1)
        tensors[f"{name}.weight"] += 1
        matrix(f"{name}.bias", hidden, spread=0.1)

    matrix("roberta.embeddings.word_embeddings.weight", int(str(config["vocab_size"])), hidden, spread=0.5)
    matrix("roberta.embeddings.token_type_embeddings.weight", 1, hidden, spread=0.5)
    if config["position_embedding_type"] == "absolute":
        rows = int(str(config["max_position_embeddings"]))
        matrix("roberta.embeddings.position_embeddings.weight", rows, hidden, spread=0.5)
    norm("roberta.emb_ln")
    for index in range(layers):
        layer = f"roberta.encoder.layers.{index}."
        linear(f"{layer}mixer.Wqkv", 3 * hidden, hidden)
        linear(f"{layer}mixer.out_proj", hidden, hidden)
        norm(f"{layer}norm1")
        linear(f"{layer}mlp.fc1", inner, hidden)
        linear(f"{layer}mlp.fc2", hidden, inner)
        norm(f"{layer}norm2")
    linear("classifier.dense", hidden, hidden)
    linear("classifier.out_proj", labels, hidden)
    return tensors


def plain(folder: Path, batch: Batch, head: str = "classify") -> np.ndarray:
    """What the published arithmetic gives for each sequence alone: logits [B, C], or hidden states [sum of L_i, D]."""
    outputs = []
    attended = batch.attended or tuple(len(ids) for ids in batch.ids)
    with torch.inference_mode():
        for ids, seen in zip(batch.ids, attended, strict=True):
            outputs.append(_one(folder, torch.from_numpy(ids), seen, head).numpy())
    return np.concatenate(outputs)


def _one(folder: Path, ids: Tensor, seen: int, head: str) -> Tensor:
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    tensors = {name: value.float() for name, value in load_file(folder / "model.safetensors").items()}

    def linear(x: Tensor, name: str) -> Tensor:
        return x @ tensors[f"{name}.weight"].T + tensors[f"{name}.bias"]

    def norm(x: Tensor, name: str) -> Tensor:
        centred = x - x.mean(-1, keepdim=True)
        spread = (centred.square().mean(-1, keepdim=True) + config["layer_norm_eps"]).sqrt()
        return centred / spread * tensors[f"{name}.weight"] + tensors[f"{name}.bias"]

    embeddings = "roberta.embeddings."
    x = tensors[f"{embeddings}word_embeddings.weight"][ids] + tensors[f"{embeddings}token_type_embeddings.weight"][0]
    rotary = config["position_embedding_type"] == "rotary"
    if not rotary:  # counted from after the padding id (1), and a padding token has none of its own
        real = (ids != 1).long()
        x = x + tensors[f"{embeddings}position_embeddings.weight"][real.cumsum(0) * real + 1]
    x = norm(x, "roberta.emb_ln")
    heads, size = config["num_attention_heads"], config["hidden_size"] // config["num_attention_heads"]
    for index in range(config["num_hidden_layers"]):
        layer = f"roberta.encoder.layers.{index}."
        query, key, value = linear(x, f"{layer}mixer.Wqkv").view(len(ids), 3, heads, size).permute(1, 2, 0, 3)
        if rotary:
            query, key = (_turned(part, config["rotary_emb_base"]) for part in (query, key))
        mixed = [  # one head after the other: the longest inputs would not fit otherwise
            torch.softmax(query[number] @ key[number, :seen].T / math.sqrt(size), -1) @ value[number, :seen]
            for number in range(heads)
        ]
        x = norm(x + linear(torch.cat(mixed, -1), f"{layer}mixer.out_proj"), f"{layer}norm1")
        wide = linear(x, f"{layer}mlp.fc1")
        wide = wide * (1 + torch.erf(wide / math.sqrt(2))) / 2
        x = norm(x + linear(wide, f"{layer}mlp.fc2"), f"{layer}norm2")
    if head == "tokens":
        return x
    return linear(torch.tanh(linear(x[:1], "classifier.dense")), "classifier.out_proj")


def _turned(x: Tensor, base: float) -> Tensor:
    """Turn the pair (i, i + D / 2) at position m by the angle m * base^(-2 i / D), as complex numbers, [H, L, D]."""
    half = x.shape[-1] // 2
    speeds = float(base) ** (-torch.arange(half, dtype=torch.float64) / half)
    angles = torch.arange(x.shape[-2], dtype=torch.float64)[:, None] * speeds
    pairs = torch.complex(x[..., :half].double(), x[..., half:].double()) * torch.polar(torch.ones_like(angles), angles)
    return torch.cat([pairs.real, pairs.imag], -1).float()
