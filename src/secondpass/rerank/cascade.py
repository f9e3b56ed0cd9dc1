"""A reranker made of rerankers: each orders and cuts what the one before kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from secondpass.rerank.ordering import check_top_n
from secondpass.types import Hit, Reranker


@dataclass(frozen=True, slots=True)
class Stage:
    """One reranker of a cascade and how many hits it keeps (None = all)."""

    reranker: Reranker
    top_n: int | None = None


class CascadeReranker:
    """Rerank in stages, the cheap one first; what a stage cuts does not come back."""

    def __init__(self, stages: Sequence[Stage]) -> None:
        self.stages = tuple(stages)

    @property
    def name(self) -> str:
        """The names of the stages, joined by ``>``."""
        return ">".join(f"{stage.reranker.name}@{stage.top_n or 'all'}" for stage in self.stages)

    def rerank(self, query: str, hits: Sequence[Hit], top_n: int | None = None) -> list[Hit]:
        """Pass ``hits`` through every stage and return the best ``top_n`` of the last."""
        check_top_n(top_n)
        kept = list(hits)
        for stage in self.stages:
            kept = stage.reranker.rerank(query, kept, stage.top_n)
        return kept[:top_n]
