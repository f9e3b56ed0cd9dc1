"""Retrieve passages in the other language than the question's, by vectors that know both."""

from __future__ import annotations

from secondpass.retrieve.stored import as_hits, check_top_k
from secondpass.text.language import language
from secondpass.types import Embedder, Hit, Store


class CrossingRetriever:
    """Find chunks in the other language, Chinese for an English question and the reverse, by their words' vectors.

    ``embedder`` is a `secondpass.embed.word_vectors.WordVectorEmbedder`, and ``store`` was filled by one.
    """

    name = "crossing"

    def __init__(self, store: Store, embedder: Embedder) -> None:
        self.store = store
        self.embedder = embedder

    def retrieve(self, query: str, top_k: int) -> list[Hit]:
        """Return the ``top_k`` chunks in the other language with the highest cosine of their words' means."""
        check_top_k(top_k)
        if not query.strip():
            return []
        vector, asked = self.embedder.encode_query([query])[0], language(query)
        found = self.store.search_vector(vector, top_k)
        return as_hits(
            [(chunk, 2 * score - 1) for chunk, score in found if language(chunk.text) != asked], self.name, "cosine"
        )
