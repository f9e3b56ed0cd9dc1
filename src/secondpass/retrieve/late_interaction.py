"""Retrieve from a store by late interaction: every chunk's token vectors against the question's."""

from __future__ import annotations

from secondpass.retrieve.stored import as_hits, check_top_k
from secondpass.types import Hit, Store, TokenEncoder


class LateInteractionRetriever:
    """Find chunks by MaxSim over stored token vectors (ColBERT, arXiv:2004.12832).

    All chunks are compared: exact but for the store's float16, and slower the larger the index (see docs/log.md). For a
    large index, rerank by late interaction what bm25 finds.
    """

    name = "colbert"

    def __init__(self, store: Store, encoder: TokenEncoder) -> None:
        self.store = store
        self.encoder = encoder

    def retrieve(self, query: str, top_k: int) -> list[Hit]:
        """Return the ``top_k`` chunks with the highest MaxSim to the query; none for an empty query."""
        check_top_k(top_k)
        if not query.strip():
            return []
        vectors = self.encoder.encode_query_tokens(query)  # (Q, D)
        return as_hits(self.store.search_tokens(vectors, top_k), self.name, "maxsim")
