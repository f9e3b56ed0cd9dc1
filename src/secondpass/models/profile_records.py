"""The form of a reranker's profile: how its input is made, and what its score means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from secondpass.types import Scale

Family = Literal["cross-encoder", "causal", "layerwise", "lightweight", "seq2seq", "seq2seq-pairs", "late-interaction"]
Truncation = Literal["only_second", "longest_first"]
WindowRule = Literal["max", "mean", "first", "bce"]


@dataclass(frozen=True, slots=True)
class GoldenPair:
    """A score that the authors published for a pair, and how near another machine comes to it.

    ``probability``: what they published of the same pair after the logistic function, where they did.
    """

    query: str
    passage: str
    score: float
    scale: Scale
    tolerance: float
    source: str
    probability: float | None = None


@dataclass(frozen=True, slots=True)
class RerankerProfile:
    """How a named reranker is fed and read.

    ``template`` names the form of the input within the family. ``max_tokens`` is the longest input in tokens, query and
    template included; ``query_max_tokens`` what a query may take of it (None: the family's rule). ``windows`` says how
    the scores of a long passage's windows become one. ``gives_probability``: see `PairScorer`. ``license`` is what the
    model's card says, empty where that was not read. ``aliases`` are other names of the same weights. ``respells``: a
    question is read with the names that a passage writes in the other script as they are written there.
    """

    name: str
    family: Family
    scale: Scale
    max_tokens: int
    template: str = ""
    query_max_tokens: int | None = None
    truncation: Truncation = "only_second"
    windows: WindowRule = "max"
    gives_probability: bool = True
    golden: tuple[GoldenPair, ...] = ()
    license: str = ""
    aliases: tuple[str, ...] = ()
    respells: bool = False
