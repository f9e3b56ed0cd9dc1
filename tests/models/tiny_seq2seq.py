"""Tiny random T5 and mT5 models with a sentencepiece-like tokenizer; drawn by numpy's seeded generator."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from tests.models.tiny_models import SENTENCES, words_of_corpus
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import MT5Config, MT5ForConditionalGeneration, T5Config, T5ForConditionalGeneration

WORDS = (
    "▁true",
    "▁false",
    "▁yes",
    "▁no",
    "▁sim",
    "▁não",
    "▁Query",
    "▁Document",
    "▁Relevant",
    "▁Document0",
    "▁Document1",
)
_SIZES: dict[str, Any] = {"d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 2, "num_heads": 4, "dropout_rate": 0.0}


def make_seq2seq(folder: Path, kind: str = "t5", seed: int = 5) -> Path:
    """Write a model folder; ``mt5`` has a head of its own, which is not the embedding table."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = _tokenizer()
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "</s>", "pad_token": "<pad>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    sizes = _SIZES | {"vocab_size": tokenizer.get_vocab_size() + 5, "decoder_start_token_id": 0}
    if kind == "mt5":
        config: Any = MT5Config(**sizes, feed_forward_proj="gated-gelu", tie_word_embeddings=False)
        model: Any = MT5ForConditionalGeneration(config)
    else:
        config = T5Config(**sizes)
        model = T5ForConditionalGeneration(config)
    rng = np.random.default_rng(seed)
    state = {
        name: torch.from_numpy(_draw(rng, name, tuple(tensor.shape))) for name, tensor in model.state_dict().items()
    }
    for name in (
        "encoder.embed_tokens.weight",
        "decoder.embed_tokens.weight",
        *(["lm_head.weight"] if kind == "t5" else []),
    ):
        state.pop(name, None)
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    fields = config.to_dict() | {"architectures": [type(model).__name__], "tie_word_embeddings": kind == "t5"}
    (folder / "config.json").write_text(json.dumps(fields), encoding="utf-8")
    return folder


def _draw(rng: np.random.Generator, name: str, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    values = rng.standard_normal(shape)
    if "layer_norm" in name:
        return (1 + 0.1 * values).astype(np.float32)
    # T5 tied divides by the root of d_model before its head.
    return (values * (1.0 if "shared" in name else 1.4 / math.sqrt(shape[-1]))).astype(np.float32)


def _tokenizer() -> Tokenizer:
    pieces = {"<pad>": 0.0, "</s>": 0.0, "<unk>": 0.0, "▁": -3.0}
    for rank, word in enumerate((*WORDS, *words_of_corpus())):
        pieces.setdefault("▁" + word if word[0].isascii() else word, -4.0 - math.log(rank + 1))
    for char in (*sorted({c for text in SENTENCES for c in text if not c.isspace()}), *map(chr, range(33, 127))):
        pieces.setdefault(char, -12.0)
    tokenizer = Tokenizer(models.Unigram(list(pieces.items()), unk_id=2, byte_fallback=False))
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    tokenizer.add_special_tokens(
        [AddedToken(name, special=True, normalized=False) for name in ("<pad>", "</s>", "<unk>")]
    )
    return tokenizer
