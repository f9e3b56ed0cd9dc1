"""A retriever made of retrievers: their ranks are fused, so that their scores need not be comparable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from secondpass.errors import InputError
from secondpass.retrieve.stored import check_top_k
from secondpass.types import Hit, Retriever, StageScore

RRF_CONSTANT = 60
MINIMUM_DEPTH = 100


class HybridRetriever:
    """Fuse retrievers by weighted reciprocal ranks: ``sum of weight / (60 + rank)``.

    Reciprocal Rank Fusion: Cormack, Clarke and Büttcher, SIGIR 2009. Every retriever is asked for at least 100, so
    that the fused order of the first ranks does not depend on how many are wanted. ``in_turn``: of a passage's ranks
    the better one counts instead of the sum, so that each retriever's first come first, whatever others think of them;
    for retrievers that look for different things.
    """

    name = "hybrid"

    def __init__(
        self, retrievers: Sequence[Retriever], weights: Sequence[float] | None = None, in_turn: bool = False
    ) -> None:
        self.retrievers = tuple(retrievers)
        self.in_turn = in_turn
        self.weights = tuple(weights) if weights is not None else (1.0,) * len(self.retrievers)
        if len(self.weights) != len(self.retrievers):
            raise InputError(f"There are {len(self.retrievers)} retrievers but {len(self.weights)} weights.")
        if min(self.weights, default=0.0) < 0 or sum(self.weights) <= 0:
            raise InputError(f"The weights are {self.weights}; they must be 0 or more, and not all 0.")

    def retrieve(self, query: str, top_k: int) -> list[Hit]:
        """Return the ``top_k`` best of the fused order; equal scores keep the order of the first retriever."""
        check_top_k(top_k)
        fused: dict[str, Hit] = {}
        for retriever, weight in zip(self.retrievers, self.weights, strict=True):
            if weight == 0:
                continue
            for rank, hit in enumerate(retriever.retrieve(query, max(top_k, MINIMUM_DEPTH)), start=1):
                known, score = fused.get(hit.chunk.id), weight / (RRF_CONSTANT + rank)
                if known:
                    score = max(known.score, score) if self.in_turn else known.score + score
                fused[hit.chunk.id] = replace(
                    hit,
                    score=score,
                    scale="rrf",
                    stages=(known.stages if known else ()) + hit.stages,
                )
        ordered = sorted(fused.values(), key=lambda hit: -hit.score)[:top_k]
        return [
            replace(hit, stages=(*hit.stages, StageScore(self.name, rank, hit.score, "rrf")))
            for rank, hit in enumerate(ordered, start=1)
        ]
