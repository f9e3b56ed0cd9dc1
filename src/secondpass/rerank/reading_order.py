"""The best passages at both ends, for a reader that loses what stands in the middle.

Language models use the beginning and the end of a long prompt best: Liu et al., "Lost in the Middle: How Language
Models Use Long Contexts", arXiv:2307.03172.
"""

from __future__ import annotations

from collections.abc import Sequence

from secondpass.rerank.post_step import passed, ranked, step_name
from secondpass.types import Hit, Reranker

_STEP = "edges"


class ReadingOrderReranker:
    """Put the best passage first, the second best last, and so on inwards: 1 3 5 … 6 4 2.

    A last step: scores stay as they are, so that they no longer fall from hit to hit.
    """

    def __init__(self, inner: Reranker | None = None) -> None:
        self.inner = inner

    @property
    def name(self) -> str:
        """``edges``, behind the name of what it follows."""
        return step_name(self.inner, _STEP)

    def rerank(self, query: str, hits: Sequence[Hit], top_n: int | None = None) -> list[Hit]:
        """Return the best ``top_n`` of ``hits``, the worst of them in the middle."""
        best = ranked(self.inner, query, hits, top_n)[:top_n]
        return passed(best[::2] + best[1::2][::-1], _STEP)
