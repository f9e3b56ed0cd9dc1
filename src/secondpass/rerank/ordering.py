"""Turn scores into an order: the one place where reranked hits are made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from secondpass.errors import InputError
from secondpass.types import FloatArray, Hit, Scale, Span, StageScore


def order_by_score(
    hits: Sequence[Hit],
    scores: FloatArray,
    stage: str,
    scale: Scale,
    top_n: int | None = None,
    evidence: Sequence[Span | None] | None = None,
) -> list[Hit]:
    """Return new hits ordered by ``scores`` (float32 [N]), the highest first, cut to ``top_n``.

    Ties keep the given order. Each hit remembers its new rank and score under the name ``stage``.

    Raises:
        InputError: ``top_n`` is below 1.
    """
    check_top_n(top_n)
    order = sorted(range(len(hits)), key=lambda index: -float(scores[index]))
    return [
        with_score(
            hits[index],
            StageScore(stage, rank, float(scores[index]), scale),
            evidence[index] if evidence else hits[index].evidence,
        )
        for rank, index in enumerate(order[:top_n], start=1)
    ]


def with_score(hit: Hit, stage: StageScore, evidence: Span | None) -> Hit:
    """Return ``hit`` as it stands after ``stage``.

    A probability of an earlier stage does not outlive it; how sure that one was of its evidence is kept with it.
    """
    return replace(
        hit,
        score=stage.score,
        scale=stage.scale,
        stages=(*hit.stages, stage),
        evidence=evidence,
        probability=None,
        evidence_confidence=hit.evidence_confidence if evidence == hit.evidence else None,
    )


def check_top_n(top_n: int | None) -> None:
    """Refuse to keep fewer than one; None keeps all."""
    if top_n is not None and top_n < 1:
        raise InputError(f"top_n is {top_n}; it must be 1 or more.")
