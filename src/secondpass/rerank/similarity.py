"""How alike passages are: by their terms, which needs no model, or by an embedder's vectors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias

import numpy as np

from secondpass.text.rarity import rarity
from secondpass.text.terms import K1, terms
from secondpass.types import Embedder, FloatArray

Row: TypeAlias = Callable[[int], FloatArray]
"""Given the number of a passage, its similarity to each, float32 [N], from 0 (or -1) to 1."""


class Similarity(Protocol):
    """Compares passages with each other."""

    def __call__(self, texts: Sequence[str]) -> Row:
        """Prepare ``texts`` and return what compares one of them with all."""
        ...


def term_similarity(texts: Sequence[str]) -> Row:
    """Compare by the cosine of weighted terms: saturated frequency times background rarity.

    Rare terms carry what a passage is about, in Chinese (pairs of characters) as in English (stems).

    >>> row = term_similarity(["西安交通大学的校园", "西安交通大学的学生", "a city wall"])
    >>> [round(float(value), 1) for value in row(0)]
    [1.0, 0.8, 0.0]
    """
    numbers: dict[str, int] = {}
    columns: list[int] = []
    weights: list[float] = []
    starts = [0]
    for text in texts:
        for term, count in Counter(terms(text)).items():
            columns.append(numbers.setdefault(term, len(numbers)))
            weights.append(count * (K1 + 1) / (count + K1) * rarity(term))
        starts.append(len(columns))
    column = np.array(columns, np.intp)
    raw: FloatArray = np.array(weights, np.float32)
    passage = np.repeat(np.arange(len(texts)), np.diff(starts))
    lengths = np.sqrt(np.bincount(passage, raw * raw, minlength=len(texts)))
    weight: FloatArray = (raw / np.maximum(lengths, 1e-9)[passage]).astype(np.float32)

    def row(index: int) -> FloatArray:
        chosen = slice(starts[index], starts[index + 1])
        of_index = np.zeros(max(len(numbers), 1), np.float32)
        of_index[column[chosen]] = weight[chosen]
        return np.bincount(passage, weight * of_index[column], minlength=len(texts)).astype(np.float32)

    return row


def embedding_similarity(embedder: Embedder) -> Similarity:
    """Compare by the cosine of an embedder's vectors."""

    def compare(texts: Sequence[str]) -> Row:
        vectors = embedder.encode_document(texts)  # [N, D], rows of length 1

        def row(index: int) -> FloatArray:
            cosines: FloatArray = (vectors @ vectors[index]).astype(np.float32)
            return cosines

        return row

    return compare
