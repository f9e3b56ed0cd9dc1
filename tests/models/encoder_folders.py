"""Small random encoders of every architecture whose graph we write, saved by transformers itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from transformers import AutoConfig, AutoModel, AutoModelForSequenceClassification

from secondpass.models.engine import Batch

VOCABULARY = 200
KINDS = ("bert", "roberta", "xlm-roberta", "camembert", "electra", "distilbert")


def make_encoder(folder: Path, kind: str, labels: int = 3, positions: int = 512, **changes: object) -> Path:
    """Save a random classifier of the architecture ``kind`` with weights large enough that errors would show."""
    pad_id = 1 if kind in {"roberta", "xlm-roberta", "camembert"} else 0
    sizes = {"hidden_size": 48, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 96}
    if kind == "distilbert":
        sizes = {"dim": 48, "n_layers": 3, "n_heads": 4, "hidden_dim": 96}
    if kind == "electra":
        sizes["embedding_size"] = 24
    config = AutoConfig.for_model(
        kind,
        vocab_size=VOCABULARY,
        max_position_embeddings=positions + (2 if pad_id else 0),
        num_labels=labels,
        pad_token_id=pad_id,
        initializer_range=0.3,
        **{"type_vocab_size": 1 if pad_id else 2, **sizes, **changes},
    )
    torch.manual_seed(5)
    model = AutoModelForSequenceClassification.from_config(config).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name.endswith("bias") or "LayerNorm" in name or "layer_norm" in name:
                weight.add_(torch.randn_like(weight) * 0.1)
    model.save_pretrained(folder)
    return folder


def reference(folder: Path, batch: Batch, head: str = "classify") -> np.ndarray:
    """What transformers computes for each sequence alone, without any padding."""
    loader = AutoModelForSequenceClassification if head == "classify" else AutoModel
    model = loader.from_pretrained(folder, attn_implementation="eager").eval()
    outputs = []
    for index, (ids, start) in enumerate(zip(batch.ids, batch.second_starts, strict=True)):
        attended = batch.attended[index] if batch.attended else len(ids)
        inputs = {
            "input_ids": torch.from_numpy(ids)[None],
            "attention_mask": (torch.arange(len(ids)) < attended)[None].long(),
        }
        if getattr(model.config, "type_vocab_size", 1) > 1:
            inputs["token_type_ids"] = (torch.arange(len(ids)) >= start)[None].long()
        with torch.no_grad():
            found = model(**inputs)
        outputs.append((found.logits if head == "classify" else found.last_hidden_state[0]).numpy())
    return np.concatenate(outputs)


def batch_of(lengths, seed=0, width=None, attended=None) -> Batch:
    rng = np.random.default_rng(seed)
    ids = tuple(rng.integers(5, VOCABULARY, length).astype(np.int64) for length in lengths)
    return Batch(ids, tuple(-(-length // 3) for length in lengths), width or max(lengths), attended)
