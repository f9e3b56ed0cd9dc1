"""What the steps after a reranker share: they work on its result, or on hits that were scored before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from secondpass.rerank.ordering import check_top_n
from secondpass.types import Hit, Reranker, StageScore


def ranked(inner: Reranker | None, query: str, hits: Sequence[Hit], top_n: int | None) -> list[Hit]:
    """Return all of ``hits`` as ``inner`` orders them, or as they came; refuse a ``top_n`` below 1."""
    check_top_n(top_n)
    return inner.rerank(query, hits) if inner else list(hits)


def step_name(inner: Reranker | None, step: str) -> str:
    """Return the name of a step, behind the name of what it follows."""
    return f"{inner.name}>{step}" if inner else step


def passed(hits: Sequence[Hit], step: str) -> list[Hit]:
    """Return ``hits`` with their scores as they are, each with its place after ``step``."""
    return [
        replace(hit, stages=(*hit.stages, StageScore(step, rank, hit.score, hit.scale)))
        for rank, hit in enumerate(hits, start=1)
    ]
