"""Where negatives come from: what every source does, and the retrievers of an index."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from secondpass.errors import InputError
from secondpass.types import Retriever


@dataclass(frozen=True, slots=True)
class FoundPassage:
    """A passage found for a question: its rank (1 = best; None: drawn by lot) and the score of what found it."""

    id: str
    text: str
    rank: int | None
    score: float | None


class NegativeSource(Protocol):
    """Finds passages for questions."""

    @property
    def name(self) -> str:
        """What finds them."""
        ...

    def find(self, queries: Sequence[str], top_k: int) -> list[list[FoundPassage]]:
        """Return the ``top_k`` best passages of each question, best first."""
        ...

    def draw(self, count: int, lot: random.Random) -> list[FoundPassage]:
        """Return ``count`` passages drawn by lot.

        Raises:
            InputError: the source cannot draw.
        """
        ...


class IndexSource:
    """Passages of an index, found by one of its retrievers."""

    def __init__(self, retriever: Retriever) -> None:
        self._retriever = retriever

    @property
    def name(self) -> str:
        """The retriever's name."""
        return self._retriever.name

    def find(self, queries: Sequence[str], top_k: int) -> list[list[FoundPassage]]:
        """Return the ``top_k`` best passages of each question, best first."""
        return [self._found(query, top_k) for query in queries]

    def _found(self, query: str, top_k: int) -> list[FoundPassage]:
        hits = self._retriever.retrieve(query, top_k)
        return [FoundPassage(hit.chunk.id, hit.chunk.text, rank, hit.score) for rank, hit in enumerate(hits, start=1)]

    def draw(self, count: int, lot: random.Random) -> list[FoundPassage]:  # noqa: ARG002 - the protocol's
        """Refuse."""
        raise InputError("Passages are drawn by lot from a corpus file (--corpus-file), not from an index.")
