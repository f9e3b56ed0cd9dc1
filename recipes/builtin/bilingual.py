"""The sentences that the Chinese pieces are taught with: those of both languages, and words with their meanings."""

from __future__ import annotations

import random
from pathlib import Path

from recipes.builtin.alignment import dictionary
from recipes.builtin.sources import read_pairs

_MANUAL_PARAGRAPHS = 7_000
_WORDS = 20_000
_MEANINGS = 3
HELD_OUT = {"tatoeba": 1000, "ntrex": 500}
"""Sentences of each source that nothing is learned from: how near translations are is measured on them."""


def sentence_pairs(data: Path, seed: int) -> list[tuple[str, str]]:
    """Return pairs of a Chinese text and its English one; of the largest manual and of the dictionary a part."""
    draw = random.Random(seed)
    by_source: dict[str, list[tuple[str, str]]] = {}
    hidden = {pair for pairs in held_out(data, seed).values() for pair in pairs}
    for pair in read_pairs(data):
        texts = (pair.chinese, pair.english)
        if texts not in hidden:
            by_source.setdefault(pair.source, []).append(texts)
    manual = by_source["python_docs"]
    by_source["python_docs"] = draw.sample(manual, min(len(manual), _MANUAL_PARAGRAPHS))
    words = [(word, "; ".join(meanings[:_MEANINGS])) for word, meanings in dictionary(data) if len(word) > 1]
    return [pair for pairs in by_source.values() for pair in pairs] + draw.sample(words, min(len(words), _WORDS))


def held_out(data: Path, seed: int) -> dict[str, list[tuple[str, str]]]:
    """Return the pairs to measure on, by source."""
    found: dict[str, list[tuple[str, str]]] = {name: [] for name in HELD_OUT}
    for pair in read_pairs(data):
        if pair.source in found and pair.kind == "sentence":
            found[pair.source].append((pair.chinese, pair.english))
    return {name: random.Random(seed).sample(pairs, HELD_OUT[name]) for name, pairs in found.items()}
