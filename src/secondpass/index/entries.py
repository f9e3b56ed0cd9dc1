"""From chunks to what a store keeps of them: which words a chunk is found by, and its terms and vector."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from secondpass.text.terms import document_vector
from secondpass.types import Chunk, Embedder, Entry, TokenEncoder


def search_text(chunk: Chunk) -> str:
    r"""Return the words a chunk is found by: title and headings, where its text does not say them, and its text.

    Terms and vectors are both made from this, so that the two retrievers look for the same thing.

    >>> search_text(Chunk("1", "学校简介：西安", title="西安交大", heading_path=("西安交大", "学校简介")))
    '西安交大\n学校简介：西安'
    """
    parts: list[str] = []
    for part in (chunk.title, *chunk.heading_path):
        if part and part not in parts and part not in chunk.text:
            parts.append(part)
    return "\n".join([*parts, chunk.text])


def make_entries(chunks: Sequence[Chunk]) -> list[Entry]:
    """Return the entries of ``chunks`` with their terms."""
    return [Entry(chunk, document_vector(search_text(chunk))) for chunk in chunks]


def add_vectors(entries: Sequence[Entry], embedder: Embedder) -> list[Entry]:
    """Return the entries with their vectors."""
    if not entries:
        return []
    vectors = embedder.encode_document([search_text(entry.chunk) for entry in entries])  # (B, D)
    return [replace(entry, vector=vector) for entry, vector in zip(entries, vectors, strict=True)]


def add_token_vectors(entries: Sequence[Entry], encoder: TokenEncoder) -> list[Entry]:
    """Return the entries with the vectors of their tokens."""
    if not entries:
        return []
    vectors = encoder.encode_document_tokens([search_text(entry.chunk) for entry in entries])
    return [replace(entry, token_vectors=vector) for entry, vector in zip(entries, vectors, strict=True)]
