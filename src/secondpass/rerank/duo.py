"""Rerank by comparing passages two by two with a model that gives probabilities (duoT5, arXiv:2101.05667)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations, permutations
from typing import Literal

from secondpass.errors import InputError
from secondpass.models.comparison import PassageComparator
from secondpass.rerank.ordering import check_top_n, with_score
from secondpass.rerank.score_cache import ScoreCache, kept_together
from secondpass.text.surrogates import encodable
from secondpass.types import Hit, PassageScore, StageScore

Aggregation = Literal["both_orders", "one_order"]
"""How probabilities of pairs become a score for each of n passages.

``both_orders``: every pair is read as (i, j) and as (j, i); a passage's score is the sum of what it wins in each, p
where it stands first and 1 - p where second (duoT5's SYM-SUM, as in pygaggle); n(n - 1) calls. ``one_order``: only as
(i, j) with i before j in the given order, which gets p, and j gets 1 - p (rank_llm's DuoT5); n(n - 1) / 2 calls, and
whatever the model favours about the first place stays in.
"""


class DuoReranker:
    """Order the first ``depth`` hits by the sum of their won comparisons; the rest follow in the given order.

    Equal passages are compared once, passages without text never: they come last of the compared ones. Scores are
    ``rank_only``: sums of probabilities for what was compared, and below 0 for what was not. What ``cache`` knows of
    the same list is not compared again.
    """

    def __init__(
        self,
        comparator: PassageComparator,
        aggregation: Aggregation = "both_orders",
        depth: int = 20,
        cache: ScoreCache | None = None,
    ) -> None:
        if depth < 1:
            raise InputError(f"depth is {depth}; it must be 1 or more.")
        self._comparator, self._aggregation, self._depth, self._cache = comparator, aggregation, depth, cache

    @property
    def name(self) -> str:
        """The comparator's name."""
        return self._comparator.name

    @property
    def fingerprint(self) -> str | None:
        """Everything that an order depends on; None where the comparator does not say what it is."""
        model = getattr(self._comparator, "fingerprint", None)
        return f"{model}\0{self._aggregation}\0{self._depth}" if model else None

    def call_count(self, count: int) -> int:
        """Return how many sequences go through the model for ``count`` different passages."""
        compared = min(count, self._depth)
        pairs = compared * (compared - 1)
        return pairs if self._aggregation == "both_orders" else pairs // 2

    def rerank(self, query: str, hits: Sequence[Hit], top_n: int | None = None) -> list[Hit]:
        """Return the best ``top_n`` of ``hits``, best first; ties keep the given order."""
        check_top_n(top_n)
        head = list(hits[: self._depth]) if query.strip() else []
        texts = [encodable(hit.chunk.text) for hit in head]
        distinct, asked = list(dict.fromkeys(text for text in texts if text.strip())), encodable(query)
        wins = kept_together(self._cache, self.fingerprint, asked, distinct, lambda: self._wins(asked, distinct))
        scores = [wins[text] if text.strip() else PassageScore(0.0) for text in texts]
        order = sorted(range(len(head)), key=lambda index: (not texts[index].strip(), -scores[index].score))
        placed = [(head[index], scores[index].score, scores[index].truncated) for index in order]
        placed += [(hit, -float(place), False) for place, hit in enumerate(hits[len(head) :], start=1)]
        return [
            replace(
                with_score(hit, StageScore(self.name, rank, score, "rank_only"), hit.evidence),
                truncated=hit.truncated or was_cut,
            )
            for rank, (hit, score, was_cut) in enumerate(placed[:top_n], start=1)
        ]

    def _wins(self, query: str, texts: Sequence[str]) -> dict[str, PassageScore]:
        """Return what each of different ``texts`` wins, and whether not all of it was read in every comparison."""
        pair_up = permutations if self._aggregation == "both_orders" else combinations
        pairs = [(first, second) for first, second in pair_up(texts, 2)]
        wins, cut = dict.fromkeys(texts, 0.0), set[str]()
        if pairs:
            said = self._comparator.compare(query, pairs)
            for (first, second), probability, (first_cut, second_cut) in zip(
                pairs, said.probabilities.tolist(), said.cut.tolist(), strict=True
            ):
                wins[first] += probability
                wins[second] += 1 - probability
                cut |= {text for text, was_cut in ((first, first_cut), (second, second_cut)) if was_cut}
        return {text: PassageScore(won, truncated=text in cut) for text, won in wins.items()}
