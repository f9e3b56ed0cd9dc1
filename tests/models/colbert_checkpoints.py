"""Late-interaction checkpoints of every known layout, tiny, with random weights that are the same everywhere.

Only numpy, tokenizers and safetensors are needed, so that the environments of the reference libraries can build the
very same folders (see tests/golden/make_pylate.py).
"""

from __future__ import annotations

import json
import string
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors.numpy import save_file
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers, processors

Weights = dict[str, npt.NDArray[np.float32]]

HIDDEN, LAYERS, HEADS, INNER, POSITIONS, DIMENSION = 32, 2, 2, 64, 512, 16
SPECIAL = ["[PAD]", "[unused0]", "[unused1]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
ENGLISH = (
    "the a of is was in capital city where who what river bank water money deep train station museum opens at nine "
    "first emperor army terracotta university founded north east mountain snow"
).split()
CHINESE = (
    "西安交通大学创办于年兵马俑博物馆几点开门的是在哪里黄河长江首都北京上海火车站什么时候第一个皇帝水深钱银行山雪东"
)
PUNCTUATION = [*string.punctuation, *"，。！？、；：（）《》“”"]
MISSING_SYMBOLS = "~|`"
"""Symbols of string.punctuation that the vocabulary lacks: they must not make every unknown token be skipped."""

QUERIES = ["where is the terracotta army?", "西安交通大学在哪里", "who was the first emperor, and what river is deep"]
PASSAGES = [
    "The terracotta army is in the museum (it opens at nine).",
    "西安交通大学创办于1896年，在西安。",
    "北京是首都；上海在东！",
    "river",
    "水",
    "a river bank is deep in water. money is in the bank, at the station~ of the city",
    "兵马俑博物馆九点开门，火车站在北。what time? museum opens at nine zzz qqq",
    "长江在哪里？" * 9 + "the first emperor of the terracotta army was in 西安" + " river bank, money." * 9,
]
"""The last one is longer than the checkpoints read at once."""
KNOWN_PUNCTUATION = [symbol for symbol in string.punctuation if symbol not in MISSING_SYMBOLS]


def vocabulary() -> list[str]:
    """Return the tokens, special ones first."""
    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    symbols = [symbol for symbol in PUNCTUATION if symbol not in MISSING_SYMBOLS]
    words = [*ENGLISH, *dict.fromkeys(CHINESE), *letters, *(f"##{letter}" for letter in letters), *symbols]
    return [*SPECIAL, *dict.fromkeys(words)]


def tokenizer(markers: tuple[str, ...] = ()) -> Tokenizer:
    """Return a WordPiece tokenizer; ``markers`` are added as tokens of their own."""
    tokens = vocabulary()
    made = Tokenizer(models.WordPiece({token: index for index, token in enumerate(tokens)}, unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    cls, sep = tokens.index("[CLS]"), tokens.index("[SEP]")
    made.post_processor = processors.BertProcessing(("[SEP]", sep), ("[CLS]", cls))
    made.add_special_tokens([token for token in SPECIAL if not token.startswith("[unused")])
    made.add_tokens([AddedToken(marker, normalized=False) for marker in markers])
    return made


def encoder_weights(vocabulary_size: int, seed: int = 7) -> Weights:
    """Return the weights of a BERT encoder under the names that transformers gives them."""
    generator = np.random.default_rng(seed)

    def normal(*shape: int, scale: float) -> npt.NDArray[np.float32]:
        return (generator.standard_normal(shape) * scale).astype(np.float32)

    weights = {
        "embeddings.word_embeddings.weight": normal(vocabulary_size, HIDDEN, scale=1.0),
        "embeddings.position_embeddings.weight": normal(POSITIONS, HIDDEN, scale=0.3),
        "embeddings.token_type_embeddings.weight": normal(2, HIDDEN, scale=0.3),
        **_norm("embeddings.LayerNorm", normal),
    }
    sizes = {"intermediate.dense": (INNER, HIDDEN), "output.dense": (HIDDEN, INNER)}
    sizes |= {f"attention.self.{name}": (HIDDEN, HIDDEN) for name in ("query", "key", "value")}
    sizes["attention.output.dense"] = (HIDDEN, HIDDEN)
    for layer in range(LAYERS):
        for name, (rows, columns) in sizes.items():
            weights[f"encoder.layer.{layer}.{name}.weight"] = normal(rows, columns, scale=0.25)
            weights[f"encoder.layer.{layer}.{name}.bias"] = normal(rows, scale=0.1)
        for name in ("attention.output.LayerNorm", "output.LayerNorm"):
            weights |= _norm(f"encoder.layer.{layer}.{name}", normal)
    return weights


def projection(seed: int = 11, dimension: int = DIMENSION) -> npt.NDArray[np.float32]:
    """Return the projection's weight, float32 [D, H]."""
    return np.random.default_rng(seed).standard_normal((dimension, HIDDEN)).astype(np.float32) * np.float32(0.3)


def write_stanford(folder: Path, **metadata: Any) -> Path:
    """Write a checkpoint as stanford-futuredata/ColBERT saves it; ``metadata`` goes to artifact.metadata."""
    made = tokenizer()
    weights = {f"bert.{name}": value for name, value in encoder_weights(made.get_vocab_size()).items()}
    weights["linear.weight"] = projection()
    _write_encoder(folder, made, weights, "HF_ColBERT")
    known: dict[str, Any] = {
        "query_maxlen": 32,
        "doc_maxlen": 48,
        "query_token_id": "[unused0]",
        "doc_token_id": "[unused1]",
        "attend_to_mask_tokens": False,
        "mask_punctuation": True,
        "dim": DIMENSION,
    }
    _write_json(folder / "artifact.metadata", known | metadata)
    return folder


def write_pylate(folder: Path, **settings: Any) -> Path:
    """Write a checkpoint as PyLate saves it; ``settings`` go to config_sentence_transformers.json."""
    made = tokenizer(("[Q] ", "[D] "))
    _write_encoder(folder, made, encoder_weights(made.get_vocab_size()), "BertModel")
    modules = [("", "sentence_transformers.models.Transformer"), ("1_Dense", "pylate.models.Dense.Dense")]
    _write_modules(folder, modules)
    _write_json(folder / "sentence_bert_config.json", {"max_seq_length": 47, "do_lower_case": False})
    known: dict[str, Any] = {
        "prompts": {},
        "default_prompt_name": None,
        "similarity_fn_name": "MaxSim",
        "query_prefix": "[Q] ",
        "document_prefix": "[D] ",
        "query_length": 32,
        "document_length": 48,
        "attend_to_expansion_tokens": False,
        "skiplist_words": None,
        "model_type": "ColBERT",
    }
    known |= settings
    if known["skiplist_words"] is None:
        known["skiplist_words"] = list(string.punctuation)
    _write_json(folder / "config_sentence_transformers.json", known)
    _write_dense(folder / "1_Dense")
    return folder


def _norm(name: str, normal: Any) -> Weights:
    return {f"{name}.weight": 1 + normal(HIDDEN, scale=0.1), f"{name}.bias": normal(HIDDEN, scale=0.1)}


def _write_encoder(folder: Path, made: Tokenizer, weights: Weights, architecture: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    made.save(str(folder / "tokenizer.json"))
    save_file(weights, str(folder / "model.safetensors"), metadata={"format": "pt"})
    config = {
        "architectures": [architecture],
        "model_type": "bert",
        "vocab_size": made.get_vocab_size(),
        "hidden_size": HIDDEN,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "intermediate_size": INNER,
        "max_position_embeddings": POSITIONS,
        "type_vocab_size": 2,
        "hidden_act": "gelu",
        "layer_norm_eps": 1e-12,
        "pad_token_id": 0,
    }
    _write_json(folder / "config.json", config)
    names = {f"{token[1:-1].lower()}_token": token for token in ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")}
    _write_json(
        folder / "tokenizer_config.json",
        {"tokenizer_class": "BertTokenizerFast", "do_lower_case": True, "model_max_length": POSITIONS, **names},
    )


def _write_modules(folder: Path, modules: list[tuple[str, str]]) -> None:
    entries = [
        {"idx": index, "name": str(index), "path": path, "type": kind} for index, (path, kind) in enumerate(modules)
    ]
    (folder / "modules.json").write_text(json.dumps(entries), encoding="utf-8")


def _write_dense(folder: Path) -> None:
    folder.mkdir()
    settings = {
        "in_features": HIDDEN,
        "out_features": DIMENSION,
        "bias": False,
        "activation_function": "torch.nn.modules.linear.Identity",
    }
    _write_json(folder / "config.json", settings)
    save_file({"linear.weight": projection()}, str(folder / "model.safetensors"))


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=1), encoding="utf-8")
