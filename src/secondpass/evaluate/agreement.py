"""How alike two orders are."""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections.abc import Sequence

from secondpass.errors import InputError


def rank_biased_overlap(first: Sequence[str], second: Sequence[str], p: float = 0.9) -> float:
    """Return how much two orders overlap, 0 to 1, the beginning above all.

    RBO_ext of Webber, Moffat and Zobel (2010), equation 32: the overlap of the first d of both, weighted with p^d, and
    extrapolated beyond the end of both. With 0.9 the first ten make up 86% of the weight. Two empty orders agree.

    >>> rank_biased_overlap("abc", "abc"), round(rank_biased_overlap("abc", "acb"), 3), rank_biased_overlap("ab", "cd")
    (1.0, 0.955, 0.0)

    Raises:
        InputError: ``p`` is not between 0 and 1, or a passage stands twice.
    """
    if not 0 < p < 1:
        raise InputError(f"p is {p:g}; rank-biased overlap needs a number between 0 and 1, such as 0.9.")
    _check_once(first, second)
    short, long = sorted((first, second), key=len)
    if not short:
        return float(not long)
    total, overlap, overlap_of_short = 0.0, 0, 0
    seen_short: set[str] = set()
    seen_long: set[str] = set()
    for depth, passage in enumerate(long, start=1):
        seen_long.add(passage)
        if depth <= len(short):
            seen_short.add(short[depth - 1])
            overlap += (passage in seen_short) + (short[depth - 1] in seen_long) - (passage == short[depth - 1])
            overlap_of_short = overlap
        else:
            overlap += passage in seen_short
        beyond = overlap_of_short * max(depth - len(short), 0) / len(short)
        total += (overlap + beyond) / depth * p**depth
    rest = (overlap - overlap_of_short) / len(long) + overlap_of_short / len(short)
    return (1 - p) / p * total + rest * p ** len(long)


def kendall_tau(first: Sequence[str], second: Sequence[str]) -> float:
    """Return Kendall's tau of the passages that stand in both orders, -1 to 1; not a number for fewer than two.

    Pairs in the same order less pairs in the other, by the number of pairs (Kendall 1938).

    >>> round(kendall_tau("abcd", "abdc"), 3), kendall_tau("abc", "cba")
    (0.667, -1.0)

    Raises:
        InputError: a passage stands twice in an order.
    """
    _check_once(first, second)
    ranks = {passage: rank for rank, passage in enumerate(first)}
    common = [ranks[passage] for passage in second if passage in ranks]
    if len(common) < 2:
        return math.nan
    above: list[int] = []
    discordant = 0
    for rank in common:
        discordant += len(above) - bisect_left(above, rank)
        insort(above, rank)
    return 1 - 4 * discordant / (len(common) * (len(common) - 1))


def _check_once(*orders: Sequence[str]) -> None:
    for order in orders:
        if len(set(order)) != len(order):
            twice = next(passage for place, passage in enumerate(order) if passage in order[:place])
            raise InputError(f"Passage {twice!r} stands twice in an order; it may stand once.")
