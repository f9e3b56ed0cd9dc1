"""The sentences that answer, where a reranker has read the hits: what it says of them, and what their words say.

The reranker gives each hit a probability and points at evidence in it. Every sentence of the probable hits is weighed:
by its words (`evidence`), by whether the evidence stands in it, and by the hit's probability. The weights are fitted by
``recipes/answer/point.py``. To have the reranker read sentences alone, too, was tried and left: docs/log.md.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files

from secondpass.answer.context import widen
from secondpass.answer.evidence import Evidence, find_evidence
from secondpass.answer.question import Question, read_question
from secondpass.text.language import language
from secondpass.text.sentences import sentences
from secondpass.types import Hit, Language, Span

SURE = 0.3
"""Evidence of which the reranker is less sure counts by so much less: the span may be one of many, all unlikely."""
_LEAST_CHANCE = 1e-6


@dataclass(frozen=True, slots=True)
class Weights:
    """How much each thing that speaks for a sentence adds to the logarithm of its chance to be the answer."""

    words: float
    evidence: float
    passage: float


@dataclass(frozen=True, slots=True)
class Pointing:
    """The fitted numbers of one language; ``least_probability``: what a hit needs for anything to be said of it."""

    least_probability: float
    weights: Weights


@dataclass(frozen=True, slots=True)
class Pointed:
    """The evidence of a hit: the rank of that one (1 = first), the span in its text, and the probability of the hit."""

    rank: int
    span: Span
    probability: float
    confidence: float


@dataclass(frozen=True, slots=True)
class Weighed:
    """A sentence and what speaks for it: `Evidence.score` by its words, and the log-odds of its hit.

    ``evidence``: 1 where the hit's evidence stands in it, and less where the reranker is less than ``SURE`` of it.
    """

    found: Evidence
    evidence: float
    passage: float

    def chance(self, weights: Weights) -> float:
        """Return the logarithm of its chance, up to a constant of the question."""
        return weights.words * self.found.score + weights.evidence * self.evidence + weights.passage * self.passage


@cache
def pointing(code: Language) -> Pointing:
    """Read the fitted numbers that ship with the package."""
    fitted = json.loads(files("secondpass.answer").joinpath("pointing.json").read_text(encoding="utf-8"))[code]
    return Pointing(fitted["least_probability"], Weights(**fitted["weights"]))


def pointed_at(hits: Sequence[Hit]) -> list[Pointed]:
    """Return the evidence of those ``hits`` of which the reranker gave all that is needed, in their order."""
    return [
        Pointed(rank, hit.evidence, hit.probability, hit.evidence_confidence)
        for rank, hit in enumerate(hits, start=1)
        if hit.evidence is not None and hit.evidence_confidence is not None and hit.probability is not None
    ]


def weigh(
    query: str, hits: Sequence[Hit], probable: Sequence[Pointed], weights: Weights
) -> list[tuple[Weighed, float]]:
    """Return the sentences of the ``probable`` hits with the logarithms of their chances, the likeliest first.

    Of equals the one is first whose hit has the clearer evidence. A hit in another language than the question has no
    words to compare: its sentences get what the worst has.
    """
    question, by_rank = read_question(query), {one.rank: one for one in probable}
    spoken = [one for one in find_evidence(query, hits).evidence if one.rank in by_rank]
    alike = {rank for rank in by_rank if language(hits[rank - 1].chunk.text) == question.language}
    worst = min((one.score for one in spoken if one.rank in alike), default=0.0)
    spoken = [one if one.rank in alike else replace(one, score=worst) for one in spoken]
    silent = [one for one in probable if not any(_holds(other, one) for other in spoken)]
    spoken += [_sentence_at(hits, one, worst) for one in silent]
    weighed = [_weighed(one, by_rank[one.rank]) for one in spoken]
    chances = [(one, one.chance(weights)) for one in weighed]
    return sorted(chances, key=lambda pair: (-pair[1], -by_rank[pair[0].found.rank].confidence))


def _weighed(sentence: Evidence, pointed: Pointed) -> Weighed:
    evidence = min(1.0, pointed.confidence / SURE) if _holds(sentence, pointed) else 0.0
    return Weighed(sentence, evidence, _log_odds(pointed.probability))


def _holds(sentence: Evidence, pointed: Pointed) -> bool:
    own, other = sentence.span, pointed.span
    return sentence.rank == pointed.rank and own.start < other.end and other.start < own.end


def _sentence_at(hits: Sequence[Hit], pointed: Pointed, score: float) -> Evidence:
    """Return the sentence in which evidence begins that is in none that words would choose: a heading, code."""
    text, start = hits[pointed.rank - 1].chunk.text, pointed.span.start
    span = next((one for one in sentences(text) if one.start <= start < one.end), pointed.span)
    return Evidence(pointed.rank, span, text[span.start : span.end], score)


def said_with(question: Question, text: str, span: Span) -> Span:
    """Return a sentence's span in ``text`` with the neighbours it leans on."""
    spans = sentences(text)
    return widen(question, text, spans, spans.index(span)) if span in spans else span


def _log_odds(probability: float) -> float:
    chance = min(max(probability, _LEAST_CHANCE), 1 - _LEAST_CHANCE)
    return math.log(chance / (1 - chance))
