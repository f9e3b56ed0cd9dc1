"""Retrieve passages in the other language than the question's, by vectors that know both."""

from __future__ import annotations

from secondpass.retrieve.stored import DenseRetriever
from secondpass.text.language import language
from secondpass.types import Chunk, FloatArray


class CrossingRetriever(DenseRetriever):
    """Find chunks in the other language, Chinese for an English question and the reverse, by their words' vectors.

    The embedder is a `secondpass.embed.word_vectors.WordVectorEmbedder`, and the store was filled by one: with the last
    number of the question's vector turned, all of the other language come before any of its own.
    """

    name = "crossing"

    def nearest(self, query: str, top_k: int) -> list[tuple[Chunk, float]]:
        """Return the chunks in the other language with the cosines of their words' means, the nearest first."""
        asked, found = language(query), super().nearest(query, top_k)
        return [(chunk, 2 * score - 1) for chunk, score in found if language(chunk.text) != asked]

    def vector(self, query: str) -> FloatArray:
        """Return the question's vector as if it were asked in the other language."""
        turned = super().vector(query).copy()
        turned[-1] *= -1
        return turned
