"""``fuse:lexical+BAAI/bge-reranker-v2-m3`` to a fusion of the rerankers it names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from secondpass.errors import InputError
from secondpass.rerank.fusion import METHODS, FusionReranker, Method
from secondpass.types import Reranker


@dataclass(frozen=True, slots=True)
class FusionName:
    """What stands behind ``fuse:``: the method, and the names of the rerankers with their weights."""

    method: Method
    members: tuple[str, ...]
    weights: tuple[float, ...]


def parse_fusion(text: str) -> FusionName:
    """Read ``A+B`` (reciprocal ranks), ``borda:A+B``, ``zscore:A*2+B``.

    >>> parse_fusion("lexical*0.5+BAAI/bge-reranker-v2-m3")
    FusionName(method='rrf', members=('lexical', 'BAAI/bge-reranker-v2-m3'), weights=(0.5, 1.0))

    Raises:
        InputError: fewer than two rerankers are named, or a weight is no number.
    """
    prefix, colon, rest = text.partition(":")
    method: Method = next((method for method in METHODS if colon and method == prefix), "rrf")
    names = rest if colon and prefix in METHODS else text
    parts = [part.strip().rpartition("*") for part in names.split("+")]
    members = tuple((before if star else after).strip() for before, star, after in parts)
    try:
        weights = tuple(float(after) if star else 1.0 for _, star, after in parts)
    except ValueError:
        weights = ()
    if len(members) < 2 or not all(members) or not weights:
        raise InputError(
            f"'fuse:{text}' is no fusion; write two rerankers or more, each with a weight if it is not 1, such as "
            "fuse:lexical*0.5+BAAI/bge-reranker-v2-m3, or fuse:borda:A+B, fuse:zscore:A+B."
        )
    return FusionName(method, members, weights)


def open_fusion(text: str, open_one: Callable[[str], Reranker]) -> Reranker:
    """Open what stands behind ``fuse:``; ``open_one`` opens each of the rerankers it names.

    Raises:
        InputError: the text cannot be read, or one of the rerankers cannot be opened.
    """
    name = parse_fusion(text)
    return FusionReranker([open_one(member) for member in name.members], name.method, name.weights)
