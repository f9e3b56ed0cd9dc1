"""Answer without a language model: the sentences of the hits that answer, word for word, each with its citation."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from secondpass.answer.citations import cite
from secondpass.answer.evidence import Evidence, find_evidence, weights
from secondpass.answer.phrases import NOT_FOUND
from secondpass.answer.pointed import Pointed, pointed_at, pointing, said_with, weigh
from secondpass.answer.question import read_question
from secondpass.answer.quotes import readable
from secondpass.text.counted import with_what_is_counted
from secondpass.text.language import LANGUAGE_NAMES, language
from secondpass.text.rarity import rarity_table
from secondpass.text.sentences import sentences
from secondpass.text.whole_words import whole_words
from secondpass.types import Answer, Citation, Hit, Span

# A further sentence is said where its chance is at least this share of the best one's.
_WORTH_SAYING = 0.4


class ExtractiveAnswerer:
    """Answer with one to ``max_sentences`` sentences of the hits, or say that they do not answer.

    Where a reranker points at evidence and gives probabilities, both it and words choose (`pointed`), and
    ``min_probability`` is what a hit needs to be answered from. Elsewhere, and where no hit is probable enough and
    nobody asked for a probability, the words of the sentences are compared with the question's (`evidence`), and
    ``min_support`` is the probability that they answer. None takes what was fitted for the language. Passages in
    another language than the question cannot be judged by their words: nothing is said then, and a warning names the
    reason.
    """

    def __init__(
        self,
        max_sentences: int = 3,
        min_support: float | None = None,
        min_probability: float | None = None,
    ) -> None:
        self._max_sentences = max_sentences
        self._min_support = min_support
        self._min_probability = min_probability
        weights("zh")  # read now, so that the first answer is timed like the others
        rarity_table()

    def answer(self, query: str, hits: Sequence[Hit]) -> Answer:
        """Answer from ``hits`` alone."""
        started = time.perf_counter()
        found = pointed_at(hits)
        citations = self._from_evidence(query, hits, found) if found else []
        if not citations and (not found or self._min_probability is None):
            citations = self._from_words(query, hits)
        seconds = {"generate": time.perf_counter() - started}
        if not citations:
            warnings = () if found else _language_warnings(query, hits)
            return Answer(NOT_FOUND[language(query)], False, (), tuple(hits), seconds, warnings=warnings)
        text = " ".join(f"{readable(one.quote)} [{one.number}]" for one in citations)
        return Answer(text, True, tuple(citations), tuple(hits), seconds)

    def _from_evidence(self, query: str, hits: Sequence[Hit], found: Sequence[Pointed]) -> list[Citation]:
        """Cite the likeliest sentences of the hits that are probable enough; nothing where none is."""
        fitted = pointing(language(query))
        least = fitted.least_probability if self._min_probability is None else self._min_probability
        probable = [one for one in found if one.probability >= least]
        weighed = weigh(query, hits, probable, fitted.weights) if probable else []
        chosen = choose([replace(one.found, score=chance) for one, chance in weighed], self._max_sentences)
        return _quote(query, hits, chosen, {one.rank: one.span for one in probable})

    def _from_words(self, query: str, hits: Sequence[Hit]) -> list[Citation]:
        """Cite the sentences whose words answer; nothing where they hardly do."""
        findings = find_evidence(query, hits)
        least = weights(language(query)).threshold if self._min_support is None else self._min_support
        if not findings.evidence or findings.support < least:
            return []
        return _quote(query, hits, choose(findings.evidence, self._max_sentences), {})

    def stream(self, query: str, hits: Sequence[Hit]) -> Iterator[str | Answer]:
        """Yield the text of the answer, and the `Answer`: there is nothing to wait for between the two."""
        answer = self.answer(query, hits)
        yield answer.text
        yield answer


def choose(ordered: Sequence[Evidence], max_sentences: int) -> list[Evidence]:
    """Return the first of the sentences, best first, and those that are nearly as likely; none twice."""
    chosen: list[Evidence] = []
    for one in ordered:
        if len(chosen) == max_sentences or one.score < ordered[0].score + math.log(_WORTH_SAYING):
            break
        if all(readable(one.text) != readable(other.text) for other in chosen):
            chosen.append(one)
    return chosen


def _quote(query: str, hits: Sequence[Hit], chosen: Sequence[Evidence], evidence: Mapping[int, Span]) -> list[Citation]:
    """Cite the chosen sentences with what they need to be understood; one that is inside another is left out.

    ``evidence``: what is pointed at in the hit of a rank; where it is in what is quoted of it, it is quoted whole, and
    where it is elsewhere, the same words in the quote are pointed at.
    """
    question = read_question(query)
    quoted: list[tuple[int, Span, Span | None]] = []
    for one in chosen:
        text, highlight = hits[one.rank - 1].chunk.text, evidence.get(one.rank)
        wide = said_with(question, text, one.span)
        if highlight is not None and _overlap(wide, highlight):
            highlight = with_what_is_counted(query, text, highlight)
            wide = _together(text, wide, highlight)
        elif highlight is not None:
            highlight = _said_again(text, wide, highlight)
        if not any(rank == one.rank and _overlap(wide, span) for rank, span, _ in quoted):
            quoted.append((one.rank, wide, highlight))
    return [cite(rank, hits[rank - 1].chunk, span, highlight) for rank, span, highlight in quoted]


def _overlap(one: Span, other: Span) -> bool:
    return one.start < other.end and other.start < one.end


def _said_again(text: str, quote: Span, highlight: Span) -> Span | None:
    """Return where ``quote`` says what is pointed at elsewhere, in a heading say; None where it does not."""
    said = re.escape(text[highlight.start : highlight.end])
    found = re.compile(said, re.IGNORECASE).search(text, quote.start, quote.end)
    span = Span(*found.span()) if found else None
    return span if span is not None and whole_words(text, span) == span else None


def _together(text: str, quote: Span, highlight: Span) -> Span:
    """Return ``quote`` with the whole of the sentence in which ``highlight`` ends."""
    ends = [one.end for one in sentences(text) if one.start < highlight.end <= one.end]
    return Span(min(quote.start, highlight.start), max(quote.end, highlight.end, *ends))


def _language_warnings(query: str, hits: Sequence[Hit]) -> tuple[str, ...]:
    code = language(query)
    other = sum(language(hit.chunk.text) != code for hit in hits)
    if not other:
        return ()
    return (
        f"{other} of {len(hits)} passages are not in the language of the question ({LANGUAGE_NAMES[code]}); "
        "an extractive answer cannot judge those, a chat model can.",
    )
