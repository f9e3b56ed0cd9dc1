"""Which of a few likely spans of a text answers a question, beside what a model says: by the words alone.

Who asks for a name, a time, a place or a number wants that and no more: not the question's own words again, no clause
after a comma. And an answer ends where a mark stands rather than within a phrase, in a sentence that speaks of what was
asked; best if it is said to be one of what was asked for. The weights, in nats beside the logarithm of the model's
probability, were found on the dev questions of three sets (docs/log.md), both languages.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from secondpass.text.asking import Kind, asked_noun, asks_for_one, question_kind
from secondpass.text.enumerations import with_things_counted
from secondpass.text.language import language
from secondpass.text.normalize import fold
from secondpass.text.rarity import rarity
from secondpass.text.sentences import sentences
from secondpass.text.terms import query_terms, stem, words
from secondpass.types import Span

_REPEATED, _COMMA, _MARK, _SPOKEN_OF, _IS_ONE = 4.0, 1.5, 1.0, 2.0, 2.0
_COMMAS, _MARKS = re.compile("[,，]"), frozenset("，。！？；：、,.!?;:()（）《》「」『』“”\"'‘’[]【】〈〉·—-\n")
_IS_A = re.compile(r"\W{0,3}(?:是|为|(?:is|was|are|were) (?:an?|the|one)\b)([^,，;；.。!！?？\n]*)")
_FARTHEST, _NEAR = 200, 60
"""Characters before and after a span in which its sentence is looked for, and those behind it that say what it is."""


@dataclass(frozen=True, slots=True)
class LikelySpan:
    """A span of a text, and how probable a model finds it."""

    span: Span
    probability: float


def choose_span(question: str, text: str, likely: Sequence[LikelySpan], as_read: str = "") -> LikelySpan:
    """Return the span of ``likely`` (one at least) that answers; their probability is shared out anew among them.

    ``as_read``: the question in the words in which it was read, where it was read in others (`respelled`).

    >>> text = "bitsandbytes 是量化库，用于 QLoRA 训练。"
    >>> likely = [LikelySpan(Span(21, 29), 0.6), LikelySpan(Span(0, 12), 0.2)]
    >>> found = choose_span("QLoRA 训练用哪个量化库？", text, likely)
    >>> text[found.span.start : found.span.end], round(found.probability, 2)
    ('bitsandbytes', 0.56)
    """
    asked = _read(question, as_read or question)
    spoken_of = _sentences_share(text, [one.span for one in likely], asked)
    shares = [
        one.probability * math.exp(_SPOKEN_OF * share + asked.likes(text, one.span) - asked.dislikes(text, one.span))
        for one, share in zip(likely, spoken_of, strict=True)
    ]
    best = max(range(len(shares)), key=shares.__getitem__)
    together, mass = sum(shares), sum(one.probability for one in likely)
    return replace(likely[best], probability=mass * shares[best] / together) if together else likely[0]


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question's terms and how rare each is, what it asks for one of, and whether for one thing at all."""

    question: str
    kind: Kind
    weights: Mapping[str, float]
    total: float
    noun: str
    briefly: bool

    def share(self, text: str) -> float:
        """Return how much of the question stands in ``text``, by the rarity of its terms."""
        return sum(self.weights.get(term, 0.0) for term in set(query_terms(text))) / self.total

    def likes(self, text: str, span: Span) -> float:
        """Return what speaks for a span: a mark behind it, or that it is one of what was asked for."""
        ends = span.end == len(text) or text[span.end] in _MARKS
        is_one = bool(self.noun) and _is_one(text[span.end : span.end + _NEAR], self.noun)
        is_counted = self.kind == "list" and with_things_counted(self.question, text, span) != span
        return _MARK * ends + _IS_ONE * (is_one or is_counted)

    def dislikes(self, text: str, span: Span) -> float:
        """Return what speaks against a span where one thing is asked for: the question's own words, and a comma."""
        if not self.briefly:
            return 0.0
        comma = _COMMAS.search(text, span.start, span.end - 1)
        return _REPEATED * self.share(text[span.start : span.end]) + _COMMA * (comma is not None)


@lru_cache(maxsize=256)
def _read(question: str, as_read: str) -> _Asked:
    weights = {term: rarity(term) for term in query_terms(as_read)}
    folded, code = fold(question), language(question)
    kind, briefly = question_kind(folded, code), asks_for_one(folded, code)
    return _Asked(question, kind, weights, sum(weights.values()) or 1.0, asked_noun(folded, code), briefly)


def _is_one(behind: str, noun: str) -> bool:
    """Tell whether ``behind``, what follows a name, says that it is a ``noun``: 是一种…的库, was a … library."""
    said = _IS_A.match(fold(behind))
    return said is not None and (noun in said[1] if noun[0] > "z" else stem(noun) in map(stem, words(said[1])))


def _sentences_share(text: str, spans: Sequence[Span], asked: _Asked) -> list[float]:
    """Return how much of the question stands in the sentence in which each span begins."""
    shares: dict[Span, float] = {}
    found = []
    for span in spans:
        sentence = next((one for one in shares if one.start <= span.start < one.end), None)
        if sentence is None:
            sentence = _sentence(text, span)
            shares[sentence] = asked.share(text[sentence.start : sentence.end])
        found.append(shares[sentence])
    return found


def _sentence(text: str, span: Span) -> Span:
    first, last = max(0, span.start - _FARTHEST), min(len(text), span.end + _FARTHEST)
    begin = span.start - first
    own = next((one for one in sentences(text[first:last]) if one.start <= begin < one.end), Span(0, last - first))
    return Span(first + own.start, first + own.end)
