"""A tiny random classifier of the layout that the packaged model has: it gives a score, and points at evidence."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load_file as load_numpy
from safetensors.numpy import save_file as save_numpy
from safetensors.torch import save_file
from tests.models.tiny_models import SENTENCES, Shape, make_model, words_of_corpus
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from secondpass.models.evidence import LIKELY_SPANS
from secondpass.text.answer_spans import LikelySpan, choose_span
from secondpass.types import Span

HIDDEN = 32
_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_BEFORE_WORDS = Regex(r"(?<![^\s\p{Han}\p{P}\p{S}])(?=[^\s\p{Han}\p{P}\p{S}])")


def marking_unigram() -> Tokenizer:
    """Return a Unigram tokenizer whose normalizer puts ▁ before every word that is not Chinese."""
    pieces = dict.fromkeys(_SPECIAL, 0.0) | {"▁": -9.0}
    for rank, word in enumerate(words_of_corpus(lowercase=True)):
        pieces.setdefault("▁" + word if word[0].isascii() and word[0].isalnum() else word, -4.0 - math.log(rank + 1))
    for char in (*sorted({c for s in SENTENCES for c in s.lower() if not c.isspace()}), *map(chr, range(33, 127))):
        pieces.setdefault(char, -12.0)
    for piece in ("大学", "学校", "北京", "首都", "长江", "▁pass", "age", "ing"):
        pieces.setdefault(piece, -7.5)
    tokenizer = Tokenizer(models.Unigram(list(pieces.items()), unk_id=1, byte_fallback=False))
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.NFKC(),
            normalizers.BertNormalizer(handle_chinese_chars=False),
            normalizers.Replace(_BEFORE_WORDS, "▁"),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    tokenizer.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in _SPECIAL])
    return tokenizer


def make_pointing(folder: Path, seed: int = 7, layers: int = 3, max_tokens: int = 512) -> Path:
    """Write the folder: weights in bf16, the evidence head in float32."""
    tokenizer = marking_unigram()
    config = {"vocab_size": tokenizer.get_vocab_size(), "dtype": "float32"}
    make_model(folder, Shape("bert", hidden=HIDDEN, layers=layers, seed=seed, max_tokens=max_tokens, config=config))
    tokenizer.save(str(folder / "tokenizer.json"))
    halved = {name: torch.from_numpy(x).bfloat16() for name, x in load_numpy(folder / "model.safetensors").items()}
    save_file(halved, folder / "model.safetensors", metadata={"format": "pt"})
    write_spans(folder, seed)
    return folder


def write_spans(folder: Path, seed: int = 7, hidden: int = HIDDEN) -> None:
    """Write an evidence head drawn from ``seed``."""
    rng = np.random.default_rng(seed)
    weight = (rng.standard_normal((2, hidden)) * 1.5).astype(np.float32)
    save_numpy({"weight": weight, "bias": rng.standard_normal(2).astype(np.float32)}, folder / "spans.safetensors")


def told_by_transformers(
    folder: Path, query: str, passages: Sequence[str]
) -> list[tuple[float, tuple[int, int], float]]:
    """Return score, evidence and confidence of pairs that fit, computed with loops over what transformers gives.

    Between the likeliest spans words choose, as tests/text/test_answer_spans.py shows.
    """
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32).eval()
    head = load_numpy(folder / "spans.safetensors")
    told = []
    for passage in passages:
        encoded = tokenizer(query, passage, return_tensors="pt", return_offsets_mapping=True)
        offsets = encoded.pop("offset_mapping")[0].tolist()
        with torch.no_grad():
            output = model(**encoded, output_hidden_states=True)
        logits = output.hidden_states[-2][0].numpy().astype(np.float64) @ head["weight"].T + head["bias"]
        places = [place for place, sequence in enumerate(encoded.sequence_ids(0)) if sequence == 1]
        likely = [
            LikelySpan(Span(*_characters(passage, offsets, places[0], *span)), confidence)
            for span, confidence in _likeliest(logits, places)
        ]
        chosen = choose_span(query, passage, likely)
        whole = _whole(passage, chosen.span.start, chosen.span.end)
        told.append((float(output.logits[0, 0]), whole, chosen.probability))
    return told


def _likeliest(logits: np.ndarray, places: list[int]) -> list[tuple[tuple[int, int], float]]:
    sums = {
        (first, last): float(logits[first, 0] + logits[last, 1])
        for first in places
        for last in places
        if 0 <= last - first < 40
    }
    together = sum(math.exp(value) for value in sums.values())
    return [(span, math.exp(sums[span]) / together) for span in sorted(sums, key=lambda one: -sums[one])[:LIKELY_SPANS]]


def _characters(passage: str, offsets: list[list[int]], begin: int, first: int, last: int) -> tuple[int, int]:
    """Return the characters of tokens: none of the one before, no white space in front."""
    start, end = offsets[first][0], offsets[last][1]
    if first > begin and start < offsets[first - 1][1] < offsets[first][1]:
        start = offsets[first - 1][1]
    return start + len(passage[start:end]) - len(passage[start:end].lstrip()), end


def _whole(passage: str, start: int, end: int) -> tuple[int, int]:
    """Return a span that cuts no word."""
    while _cuts(passage, start):
        start -= 1
    while _cuts(passage, end):
        end += 1
    return start, end


def _cuts(text: str, place: int) -> bool:
    """Tell whether a word of Latin letters, figures and hyphens after letters goes on across ``place``."""

    def letter(index: int) -> bool:
        return text[index] == "_" or (text[index].isalpha() and text[index] < "\u0250")

    def part(index: int) -> bool:
        return 0 <= index < len(text) and (letter(index) or text[index] in "0123456789")

    if not 0 < place < len(text):
        return False
    if text[place] == "-":
        return letter(place - 1) and part(place + 1)
    if text[place - 1] == "-":
        return place > 1 and letter(place - 2) and part(place)
    return part(place - 1) and part(place)
