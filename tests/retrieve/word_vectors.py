"""A token encoder that knows which words are the same, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from secondpass.text.terms import terms
from secondpass.types import FloatArray


class WordVectors:
    """One vector per term, drawn by the term's own characters: equal terms have equal vectors."""

    name = "words"
    revision = "1"
    dimension = 64

    def encode_query_tokens(self, text: str) -> FloatArray:
        return np.stack([self._vector(term) for term in terms(text) or [""]])

    def encode_document_tokens(self, texts: Sequence[str]) -> list[FloatArray]:
        return [self.encode_query_tokens(text) for text in texts]

    def _vector(self, term: str) -> FloatArray:
        drawn = np.random.default_rng(list(term.encode("utf-8", "surrogatepass"))).standard_normal(self.dimension)
        vector: FloatArray = (drawn / np.linalg.norm(drawn)).astype(np.float32)
        return vector
