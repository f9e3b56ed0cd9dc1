"""What a reranker points at as the answer, where it says how probable a passage is and how sure it is of its evidence.

Of the hits the one is taken whose probability, times its confidence to a fitted power, is the largest: which passage
answers counts first, and among such as are equally probable the one of which it is clear where. The reranker has read
question and passage together, in whatever language each is; nothing here compares words.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from secondpass.answer.context import widen
from secondpass.answer.question import Question
from secondpass.text.sentences import sentences
from secondpass.types import Hit, Language, Span


@dataclass(frozen=True, slots=True)
class Pointing:
    """The fitted numbers of one language.

    ``least_probability``: what a hit needs for its evidence to be said. ``confidence_power``: how much it counts, in
    the choice of the hit, that the reranker is sure where the answer is (0: not at all).
    """

    least_probability: float
    confidence_power: float


@dataclass(frozen=True, slots=True)
class Pointed:
    """The evidence of a hit: the rank of that one (1 = first), the span in its text, and the probability of the hit."""

    rank: int
    span: Span
    probability: float
    confidence: float


@cache
def pointing(language: Language) -> Pointing:
    """Read the fitted numbers that ship with the package."""
    fitted = json.loads(files("secondpass.answer").joinpath("pointing.json").read_text(encoding="utf-8"))[language]
    return Pointing(fitted["least_probability"], fitted["confidence_power"])


def pointed_at(hits: Sequence[Hit]) -> list[Pointed]:
    """Return the evidence of those ``hits`` of which the reranker gave all that is needed, in their order."""
    return [
        Pointed(rank, hit.evidence, hit.probability, hit.evidence_confidence)
        for rank, hit in enumerate(hits, start=1)
        if hit.evidence is not None and hit.evidence_confidence is not None and hit.probability is not None
    ]


def best_pointed(found: Sequence[Pointed], fitted: Pointing) -> Pointed:
    """Return the one that answers; of equals the one of which it is clearer where, then the first."""
    return max(found, key=lambda one: (one.probability * one.confidence**fitted.confidence_power, one.confidence))


def sentence_of(question: Question, text: str, span: Span) -> Span:
    """Return the sentence of ``text`` that holds ``span``, with the neighbours it leans on.

    A span over several sentences is held by all of them.
    """
    spans = sentences(text)
    held = [place for place, one in enumerate(spans) if one.start < span.end and span.start < one.end]
    if not held:
        return span
    wide = widen(question, text, spans, held[0])
    return Span(min(wide.start, span.start), max(wide.end, spans[held[-1]].end))
