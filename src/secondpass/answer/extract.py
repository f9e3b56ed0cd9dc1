"""Answer without a language model: the sentences of the hits that answer, word for word, each with its citation."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterator, Sequence

from secondpass.answer.citations import cite
from secondpass.answer.context import widen
from secondpass.answer.evidence import Evidence, Findings, find_evidence, weights
from secondpass.answer.phrases import NOT_FOUND
from secondpass.answer.question import read_question
from secondpass.text.language import language
from secondpass.text.rarity import rarity_table
from secondpass.text.sentences import sentences
from secondpass.types import Answer, Citation, Hit, Span

# A further sentence is said where its chance is at least this share of the best one's.
_WORTH_SAYING = 0.4
_MARKUP = re.compile(r"^(?:[-*+>•]\s+|\d{1,3}[.)、]\s+|\|)+|[*_`]{2,}", re.MULTILINE)
_WHITE = re.compile(r"\s+")


class ExtractiveAnswerer:
    """Answer with one to ``max_sentences`` sentences of the hits, or say that they do not answer.

    ``min_support`` is the probability, 0 to 1, below which nothing is said; None takes the fitted one of the language.
    Passages in another language than the question cannot be judged by their words: nothing is said then, and a
    warning names the reason.
    """

    def __init__(self, max_sentences: int = 3, min_support: float | None = None) -> None:
        self._max_sentences = max_sentences
        self._min_support = min_support
        weights("zh")  # read now, so that the first answer is timed like the others
        rarity_table()

    def answer(self, query: str, hits: Sequence[Hit]) -> Answer:
        """Answer from ``hits`` alone."""
        started = time.perf_counter()
        code = language(query)
        findings = find_evidence(query, hits)
        least = weights(code).threshold if self._min_support is None else self._min_support
        if not findings.evidence or findings.support < least:
            seconds = {"generate": time.perf_counter() - started}
            warnings = _language_warnings(query, hits)
            return Answer(NOT_FOUND[code], False, (), tuple(hits), seconds, warnings=warnings)
        citations = _quote(query, hits, choose(findings, self._max_sentences))
        text = " ".join(f"{_readable(one.quote)} [{one.number}]" for one in citations)
        seconds = {"generate": time.perf_counter() - started}
        return Answer(text, True, tuple(citations), tuple(hits), seconds)

    def stream(self, query: str, hits: Sequence[Hit]) -> Iterator[str | Answer]:
        """Yield the text of the answer, and the `Answer`: there is nothing to wait for between the two."""
        answer = self.answer(query, hits)
        yield answer.text
        yield answer


def choose(findings: Findings, max_sentences: int) -> list[Evidence]:
    """Return the best sentence and those that are nearly as likely, best first; none twice."""
    best = findings.evidence[0]
    chosen: list[Evidence] = []
    for one in findings.evidence:
        if len(chosen) == max_sentences or one.score < best.score + math.log(_WORTH_SAYING):
            break
        if all(_readable(one.text) != _readable(other.text) for other in chosen):
            chosen.append(one)
    return chosen


def _quote(query: str, hits: Sequence[Hit], chosen: Sequence[Evidence]) -> list[Citation]:
    """Cite the chosen sentences with what they need to be understood; one that is inside another is left out."""
    question = read_question(query)
    quoted: list[tuple[int, Span]] = []
    for one in chosen:
        text = hits[one.rank - 1].chunk.text
        spans = sentences(text)
        wide = widen(question, text, spans, spans.index(one.span))
        if not any(rank == one.rank and wide.start < span.end and span.start < wide.end for rank, span in quoted):
            quoted.append((one.rank, wide))
    return [cite(rank, hits[rank - 1].chunk, span) for rank, span in quoted]


def _readable(text: str) -> str:
    """Return a quote on one line, without the marks of lists and emphasis."""
    return _WHITE.sub(" ", _MARKUP.sub("", text)).strip()


def _language_warnings(query: str, hits: Sequence[Hit]) -> tuple[str, ...]:
    code = language(query)
    other = sum(language(hit.chunk.text) != code for hit in hits)
    if not other:
        return ()
    names = {"en": "English", "zh": "Chinese"}
    return (
        f"{other} of {len(hits)} passages are not in the language of the question ({names[code]}); "
        "an extractive answer cannot judge those, a chat model can.",
    )
