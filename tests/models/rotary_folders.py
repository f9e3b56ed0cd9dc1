"""Small random encoders whose positions are rotations: ModernBERT, GTE, and GTE under its first name."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.numpy import load_file, save_file
from tests.models.encoder_folders import VOCABULARY
from tests.models.tiny_models import wordpiece
from transformers import AutoConfig, AutoModelForSequenceClassification

ROTARY = ("modernbert", "modernbert-mean", "modernbert-local-last", "gte")
_EVERY_BIAS = {"mlp_bias": True, "attention_bias": True, "norm_bias": True, "classifier_bias": True}
_CHANGES: dict[str, dict[str, object]] = {
    "modernbert": {"num_hidden_layers": 4},  # the last layer looks at everything, as in the published models
    "modernbert-mean": {"num_hidden_layers": 3, "classifier_pooling": "mean", "local_attention": 16, **_EVERY_BIAS},
    "modernbert-local-last": {"num_hidden_layers": 3, "local_attention": 16},
    "gte": {"num_hidden_layers": 3, "pad_token_id": 1},
}
NTK = 8.0
"""The factor of the scaling of gte-multilingual-reranker-base."""


def make_rotary(folder: Path, name: str, vocabulary: int = VOCABULARY, **changes: object) -> Path:
    """Save a random classifier of three labels with weights large enough that errors would show."""
    kind = name.partition("-")[0]
    config = AutoConfig.for_model(
        kind,
        **{
            "vocab_size": vocabulary,
            "hidden_size": 48,
            "num_attention_heads": 4,
            "intermediate_size": 96,
            "num_labels": 3,
            "initializer_range": 0.3,
            "pad_token_id": 0,
            **({"bos_token_id": 2, "eos_token_id": 3, "cls_token_id": 2, "sep_token_id": 3} if kind != "gte" else {}),
            **_CHANGES[name],
            **changes,
        },
    )
    torch.manual_seed(5)
    model = AutoModelForSequenceClassification.from_config(config).eval()
    with torch.no_grad():
        for place, weight in model.named_parameters():
            if place.endswith("bias") or "norm" in place.lower():
                weight.add_(torch.randn_like(weight) * 0.1)
    model.save_pretrained(folder)
    return folder


def make_new(folder: Path, native: Path, **changes: object) -> Path:
    """Lay the GTE in ``native`` out as Alibaba's first revisions do: ``new``, NTK scaling, code elsewhere."""
    folder.mkdir(parents=True)
    config = json.loads((native / "config.json").read_text(encoding="utf-8"))
    del config["rope_parameters"]
    config |= {
        "model_type": "new",
        "architectures": ["NewForSequenceClassification"],
        "auto_map": {"AutoConfig": "Alibaba-NLP/new-impl--configuration.NewConfig"},
        "rope_theta": 20_000,
        "rope_scaling": {"factor": NTK, "type": "ntk"},
        "position_embedding_type": "rope",
        "layer_norm_type": "layer_norm",
        "logn_attention_scale": False,
        "pack_qkv": True,
        **changes,
    }
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    tensors = load_file(native / "model.safetensors")
    renamed = {name.replace("gte.", "new.", 1) if name.startswith("gte.") else name: tensors[name] for name in tensors}
    save_file(renamed, folder / "model.safetensors", metadata={"format": "pt"})
    wordpiece().save(str(folder / "tokenizer.json"))
    return folder


def native_ntk() -> dict[str, object]:
    """The same scaling as transformers' own GTE writes it; heads have 12 numbers here."""
    return {"rope_type": "linear", "factor": NTK ** (2 / 12), "rope_theta": 20_000 * NTK}
