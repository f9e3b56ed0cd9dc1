"""Rank several times with the passages shuffled, and take the order in the middle.

Permutation self-consistency (arXiv:2310.07712): a model's order depends on where a passage was shown, and that washes
out over shuffles. The middle is the Borda order (by mean rank) with neighbours exchanged as long as most runs want them
the other way round (local Kemeny optimality: Dwork et al., "Rank Aggregation Methods for the Web", 2001).
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import combinations

import numpy as np
import numpy.typing as npt

from secondpass.errors import InputError
from secondpass.rerank.ranking_calls import RankingRun
from secondpass.rerank.ranking_method import Ranking, RankingMethod, in_order
from secondpass.types import Message

Ranks = npt.NDArray[np.int64]


class SelfConsistentRanking:
    """Rank by ``method`` ``runs`` times, each in an order of its own drawn from ``seed``; runs go side by side.

    It costs ``runs`` times the calls. A method that sorts only the best few should sort as many as are wanted: what it
    leaves unsorted stands in shuffled order.
    """

    def __init__(self, method: RankingMethod, runs: int = 5, seed: int = 0) -> None:
        if runs < 2:
            raise InputError(f"runs is {runs}; self-consistency needs 2 or more.")
        self._method = method
        self._runs = runs
        self._seed = seed

    @property
    def name(self) -> str:
        """The method's name and the number of runs."""
        return f"{self._method.name}x{self._runs}"

    @property
    def least(self) -> int:
        """How many passages there must be for a question to be worth asking."""
        return max(2, self._method.least)

    def shown_together(self, count: int) -> int:
        """Return how many of ``count`` passages stand in the longest prompt."""
        return self._method.shown_together(count)

    def longest_prompt(self, query: str, passages: Sequence[str]) -> tuple[Message, ...]:
        """Return the messages that show ``passages`` together."""
        return self._method.longest_prompt(query, passages)

    def rank(self, run: RankingRun, query: str, passages: Sequence[str], _wanted: int, /) -> Ranking:
        """Rank the shuffled passages, and combine."""
        shuffles = shuffled(len(passages), self._runs, self._seed)

        def ranks_of(shuffle: list[int]) -> Ranks:
            ranking = self._method.rank(run, query, [passages[place] for place in shuffle], len(shuffle))
            order = sorted(range(len(shuffle)), key=lambda place: -ranking.scores[place])
            ranks = np.empty(len(shuffle), np.int64)
            ranks[[shuffle[place] for place in order]] = np.arange(len(shuffle))
            return ranks

        ranks = np.stack(run.map(ranks_of, shuffles))
        shown = np.argsort(np.array(shuffles), axis=1)
        middle = in_order(combine(ranks), len(passages))
        pairs = combinations(range(self._runs), 2)
        agreement = float(np.mean([kendall_tau(ranks[one], ranks[other]) for one, other in pairs]))
        bias = float(np.mean([kendall_tau(before, after) for before, after in zip(shown, ranks, strict=True)]))
        return Ranking(middle.scores, "rank_only", agreement, bias)


def shuffled(count: int, runs: int, seed: int) -> list[list[int]]:
    """Return ``runs`` orders of ``count`` things, the same ones for the same ``seed``."""
    source = random.Random(seed)
    return [source.sample(range(count), count) for _ in range(runs)]


def combine(ranks: Ranks) -> list[int]:
    """Return the order in the middle of several; ``ranks``: int64 [R, N], the rank of every passage in every run.

    >>> combine(np.array([[0, 1, 2], [0, 2, 1], [1, 0, 2]]))
    [0, 1, 2]
    """
    order: list[int] = np.argsort(ranks.sum(axis=0), kind="stable").tolist()
    for end in range(1, len(order)):  # insertion: each sinks until most runs are content with its neighbour
        place = end
        while place and _most_prefer(ranks, order[place], order[place - 1]):
            order[place - 1], order[place] = order[place], order[place - 1]
            place -= 1
    return order


def _most_prefer(ranks: Ranks, one: int, other: int) -> bool:
    return bool((ranks[:, one] < ranks[:, other]).sum() * 2 > len(ranks))


def kendall_tau(one: Ranks, other: Ranks) -> float:
    """Return Kendall's tau between two orders without ties; ``one``, ``other``: int64 [N], the rank of each passage.

    >>> kendall_tau(np.array([0, 1, 2]), np.array([0, 2, 1])), kendall_tau(np.array([0, 1]), np.array([1, 0]))
    (0.3333333333333333, -1.0)
    """
    upper = np.triu_indices(len(one), 1)
    agree = np.sign((one[:, None] - one)[upper]) * np.sign((other[:, None] - other)[upper])
    return float(agree.mean())
