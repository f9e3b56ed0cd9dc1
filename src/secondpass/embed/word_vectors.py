"""Vectors from the words of a text alone: the mean of what the model of the package holds of its tokens.

The Chinese pieces of that model were learned until a text and its translation meant the same to it (recipes/builtin/
alignment.py); so a question finds passages in the other language that share no word with it, which BM25 cannot. No
network is run: a vector is looked up, and weighed by the square of its own length, which is small for pieces that stand
everywhere. Within one language BM25 finds far more (docs/log.md), so that a last number says which language a text is
in: `secondpass.retrieve.crossing` turns it and finds the other one.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from functools import cached_property

import numpy as np

from secondpass.embed.vectors import unit_rows
from secondpass.models.builtin_model import BUILTIN, builtin_folder
from secondpass.models.tokenizer import TextTokenizer
from secondpass.models.weights import Weights
from secondpass.text.language import language
from secondpass.text.surrogates import encodable
from secondpass.types import FloatArray

_TABLE = "embeddings.word_embeddings.weight"


class WordVectorEmbedder:
    """Mean word vectors of the model `builtin`: both languages, every token of a text, no extra to install but `onnx`.

    Safe to share between threads.

    Raises:
        InputError: this installation lacks the model.
        MissingExtraError: the library `tokenizers` is not installed.
    """

    def __init__(self) -> None:
        folder = builtin_folder()
        self._tokenizer = TextTokenizer(folder)
        weights = Weights(folder)
        self._table = weights.weight(weights.prefix_of(_TABLE) + _TABLE)

    @property
    def name(self) -> str:
        """What `open_embedder` reads."""
        return BUILTIN

    @cached_property
    def revision(self) -> str:
        """A fingerprint of the pieces and their vectors."""
        table = hashlib.sha256(self._table.raw.tobytes()).hexdigest()
        return hashlib.sha256(f"{self._tokenizer.fingerprint} {table}".encode()).hexdigest()[:16]

    @property
    def dimension(self) -> int:
        """The length of a vector."""
        return int(self._table.raw.shape[1]) + 1

    def encode_query(self, texts: Sequence[str]) -> FloatArray:
        """Encode questions as passages are; float32 [B, D], rows of length 1."""
        return self.encode_document(texts)

    def encode_document(self, texts: Sequence[str]) -> FloatArray:
        """Encode passages; float32 [B, D], rows of length 1.

        The last number is above 0 for Chinese. Of two texts in one language the cosine is ``(1 + c) / 2``, with ``c``
        the cosine of their words' means.
        """
        means = np.zeros((len(texts), self.dimension - 1), np.float32)
        encoded = self._tokenizer.encode([encodable(text) for text in texts], offsets_from=sys.maxsize)
        for mean, text in zip(means, encoded, strict=True):
            vectors = self._table.rows(text.ids)  # (L, D - 1)
            mean[:] = np.square(vectors).sum(axis=1) @ vectors
        sides = np.array([1 if language(text) == "zh" else -1 for text in texts], np.float32).reshape(-1, 1)
        return unit_rows(np.hstack([unit_rows(means), sides]))
