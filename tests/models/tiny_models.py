"""Tiny random models of the real architectures, the same on every machine: nothing is trained, nothing is fetched.

Weights come from numpy's seeded generator, and each tokenizer's vocabulary is written down from the sentences below, so
that a golden number recorded once stays true.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

SENTENCES = (
    "西安交通大学由三所学校合并组建。",
    "北京是中华人民共和国的首都，人口超过两千万。",
    "谁发明了电话？贝尔在1876年获得了专利。",
    "重排序模型逐对阅读问题和段落，给出相关性分数。",
    "今天下雨，路上的行人都打着伞。",
    "长江全长六千三百公里，是亚洲最长的河流。",
    "这家餐馆的麻婆豆腐很有名，但是价格不便宜。",
    "机器学习需要大量的数据和计算资源。",
    "他说：“明天早上八点开会，请不要迟到！”",
    "第三十五届奥运会将在布里斯班举行。",
    "请把文件保存为ＵＴＦ－８编码，然后再上传。",
    "Which schools were merged into Jiaotong University?",
    "The capital of Germany is Berlin, a city of 3.7 million people.",
    "Alexander Graham Bell was awarded the first patent for the telephone in 1876.",
    "A cross-encoder reads the question and the passage together and returns a score.",
    "It rained all day, and the streets were empty.",
    "The Yangtze is the longest river in Asia.",
    "How do I change the port of the development server?",
    "Set the environment variable PORT before you start the server.",
    "The museum is closed on Mondays; tickets cost ten euros.",
    "Long passages are split into windows, and the best window counts.",
    "Mixed text: 在Python 3.11中使用 asyncio.run() 启动事件循环。",
)
EMOJI_AND_WIDE = "表情😀👩‍👩‍👧 and ﬁne ½ Ａ１ é ﷺ 𠮷野家"
_WORD = Regex(r"[\u3400-\u9fff]|[A-Za-z]+|[0-9]|[^\sA-Za-z0-9\u3400-\u9fff]")


@dataclass(frozen=True, slots=True)
class Shape:
    """What a tiny model looks like; ``config`` overrides fields of config.json."""

    kind: str = "bert"  # bert, xlm-roberta or roberta
    labels: int = 1
    hidden: int = 32
    layers: int = 3
    heads: int = 4
    intermediate: int = 64
    max_tokens: int = 512
    seed: int = 7
    config: Mapping[str, Any] = field(default_factory=dict)


def make_model(folder: Path, shape: Shape) -> Path:
    """Write config.json, tokenizer.json, tokenizer_config.json and model.safetensors into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = wordpiece() if shape.kind == "bert" else unigram() if shape.kind == "xlm-roberta" else byte_level()
    tokenizer.save(str(folder / "tokenizer.json"))
    config = _config(shape, tokenizer.get_vocab_size())
    _write(folder / "config.json", config)
    _write(folder / "tokenizer_config.json", _tokenizer_config(shape))
    save_file(_weights(shape, config), folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def _write(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False), encoding="utf-8")


def words_of_corpus(lowercase: bool = False) -> list[str]:
    """Return every word, digit, Chinese character and mark of the sentences, the frequent ones first."""
    splitter = pre_tokenizers.Split(Regex(r"\s+"), "removed")
    parts = pre_tokenizers.Sequence([splitter, pre_tokenizers.Split(_WORD, "isolated")])
    counts: Counter[str] = Counter()
    for sentence in SENTENCES:
        for word, _ in parts.pre_tokenize_str(sentence.lower() if lowercase else sentence):
            counts[word] += 1
    return sorted(counts, key=lambda word: (-counts[word], word))


def wordpiece() -> Tokenizer:
    """Return a BERT tokenizer with the words of the sentences and every ASCII letter as a piece."""
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    rest = ["##" + letter for letter in (*letters, *"0123456789")] + ["##ing", "##er", "##s", "##ed", "##tion"]
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[unused0]", "[unused1]"]
    vocabulary: dict[str, int] = {}
    for piece in (*special, *letters, *rest, *"!\"#$%&'()*+,-./:;<=>?@[]", *words_of_corpus(lowercase=True)):
        vocabulary.setdefault(piece, len(vocabulary))
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]", max_input_chars_per_word=100))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", vocabulary["[CLS]"]), ("[SEP]", vocabulary["[SEP]"])],
    )
    tokenizer.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in special[:5]])
    return tokenizer


def unigram() -> Tokenizer:
    """Return an XLM-R tokenizer: NFKC, ▁ for spaces, the words of the sentences with log frequencies."""
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    characters = sorted({char for sentence in SENTENCES for char in sentence if not char.isspace()})
    pieces = dict.fromkeys(special, 0.0) | {"▁": -3.0}
    for rank, word in enumerate(words_of_corpus()):
        pieces.setdefault("▁" + word if word[0].isascii() else word, -4.0 - math.log(rank + 1))
    for char in (*characters, *(chr(code) for code in range(33, 127))):
        pieces.setdefault(char, -12.0)
    for pair in ("大学", "学校", "模型", "排序", "问题", "段落", "电话", "北京", "发明", "长江", "▁pass", "age", "ing"):
        pieces.setdefault(pair, -7.5)
    tokenizer = Tokenizer(models.Unigram(list(pieces.items()), unk_id=3, byte_fallback=False))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Nmt(), normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")]
    )
    tokenizer.decoder = decoders.Metaspace(replacement="▁", prepend_scheme="always")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    tokenizer.add_special_tokens(
        [*(AddedToken(name, special=True, normalized=False) for name in special), AddedToken("<mask>", lstrip=True)]
    )
    return tokenizer


def byte_level() -> Tokenizer:
    """Return a RoBERTa tokenizer without merges: one token a byte."""
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {piece: index for index, piece in enumerate([*special, *alphabet])}
    tokenizer = Tokenizer(models.BPE(vocabulary, [], unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), trim_offsets=True)
    tokenizer.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in special])
    return tokenizer


def _config(shape: Shape, vocabulary_size: int) -> dict[str, Any]:
    bert = shape.kind == "bert"
    architecture = {"bert": "Bert", "xlm-roberta": "XLMRoberta", "roberta": "Roberta"}[shape.kind]
    return {
        "architectures": [f"{architecture}ForSequenceClassification"],
        "model_type": shape.kind,
        "vocab_size": vocabulary_size,
        "hidden_size": shape.hidden,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "intermediate_size": shape.intermediate,
        "hidden_act": "gelu",
        "max_position_embeddings": shape.max_tokens + (0 if bert else 2),
        "type_vocab_size": 2 if bert else 1,
        "pad_token_id": 0 if bert else 1,
        "layer_norm_eps": 1e-12 if bert else 1e-5,
        "hidden_dropout_prob": 0.1,
        "attention_probs_dropout_prob": 0.1,
        "id2label": {str(index): f"LABEL_{index}" for index in range(shape.labels)},
        "label2id": {f"LABEL_{index}": index for index in range(shape.labels)},
        **({} if bert else {"bos_token_id": 0, "eos_token_id": 2}),
        **shape.config,
    }


def _tokenizer_config(shape: Shape) -> dict[str, Any]:
    if shape.kind == "bert":
        names = {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"}
        inputs = ["input_ids", "token_type_ids", "attention_mask"]
    else:
        names = {"pad": "<pad>", "unk": "<unk>", "cls": "<s>", "sep": "</s>", "mask": "<mask>"}
        inputs = ["input_ids", "attention_mask"]
    tokens = {f"{role}_token": token for role, token in names.items()}
    return tokens | {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": shape.max_tokens,
        "model_input_names": inputs,
    }


def _weights(shape: Shape, config: Mapping[str, Any]) -> dict[str, np.ndarray[Any, Any]]:
    rng = np.random.default_rng(shape.seed)
    hidden, inner = shape.hidden, shape.intermediate
    weights: dict[str, np.ndarray[Any, Any]] = {}

    def matrix(name: str, *size: int, spread: float) -> None:
        weights[name] = (rng.standard_normal(size) * spread).astype(np.float32)

    def linear(name: str, outputs: int, inputs: int) -> None:
        matrix(f"{name}.weight", outputs, inputs, spread=1.4 / math.sqrt(inputs))
        matrix(f"{name}.bias", outputs, spread=0.1)

    def norm(name: str) -> None:
        weights[f"{name}.weight"] = (1 + 0.1 * rng.standard_normal(hidden)).astype(np.float32)
        matrix(f"{name}.bias", hidden, spread=0.1)

    prefix = "bert." if shape.kind == "bert" else "roberta."
    for name, rows in (
        ("word", "vocab_size"),
        ("position", "max_position_embeddings"),
        ("token_type", "type_vocab_size"),
    ):
        matrix(f"{prefix}embeddings.{name}_embeddings.weight", config[rows], hidden, spread=0.5)
    norm(f"{prefix}embeddings.LayerNorm")
    for index in range(shape.layers):
        layer = f"{prefix}encoder.layer.{index}."
        for name in ("query", "key", "value"):
            linear(f"{layer}attention.self.{name}", hidden, hidden)
        linear(f"{layer}attention.output.dense", hidden, hidden)
        norm(f"{layer}attention.output.LayerNorm")
        linear(f"{layer}intermediate.dense", inner, hidden)
        linear(f"{layer}output.dense", hidden, inner)
        norm(f"{layer}output.LayerNorm")
    if shape.kind == "bert":
        linear("bert.pooler.dense", hidden, hidden)
        linear("classifier", shape.labels, hidden)
    else:
        linear("classifier.dense", hidden, hidden)
        linear("classifier.out_proj", shape.labels, hidden)
    return weights
