# Full-width brackets and digits are what this module is about.
"""Check what an answer cites: whether the passage is there, and whether it says so.

A citation is a number in brackets: ``[1]``, ``[1][2]``, ``[1, 3]``, ``[1-3]``, ``【1】``, ``［１］``, ``①``. What a
sentence shares with the passage it cites is counted in rare words and pairs of characters; that shows copying and
paraphrase with the same words, not meaning. An answer in another language than the passage cannot be checked so, and
that is said.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from secondpass.answer.features import all_terms
from secondpass.text.language import language
from secondpass.text.numerals import numeral_terms
from secondpass.text.rarity import rarity
from secondpass.text.sentences import sentences
from secondpass.types import Chunk, Citation, Span

_CIRCLED = "①②③④⑤⑥⑦⑧⑨⑩⑪⑫⑬⑭⑮⑯⑰⑱⑲⑳"
_DIGITS = r"[\d０-９]{1,3}"
_BRACKETED = re.compile(
    rf"[\[［【〔]\s*(?:passage|source|文档|资料|段落)?\s*"
    rf"(?P<list>{_DIGITS}(?:\s*[,，、;；~～\-–—至到]\s*\^?{_DIGITS})*)\s*[\]］】〕]|(?P<circled>[{_CIRCLED}])",
    re.IGNORECASE,
)
_RANGE = re.compile(rf"({_DIGITS})(?:\s*[~～\-–—至到]\s*({_DIGITS}))?")
_MAX_RANGE = 20
# Of the weight of a cited sentence, this much must be found in the passage. Measured: 0.5% (CMRC 2018), 2% (DRCD) and
# 7.5% (PubMedQA conclusions) of true sentences fall below; of those citing the nearest wrong passage 82%, 72% and 38%.
MIN_OVERLAP = 0.3


@dataclass(frozen=True, slots=True)
class Mark:
    """A citation as it is written: where it stands in the answer, and the numbers it means."""

    start: int
    end: int
    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class CheckedText:
    """An answer whose citations were checked: the text with only good numbers, the places, and what was wrong."""

    text: str
    citations: tuple[Citation, ...]
    warnings: tuple[str, ...]


def cite(number: int, chunk: Chunk, span: Span, highlight: Span | None = None) -> Citation:
    """Return the citation of a span of a chunk, with offsets into the document; ``highlight`` is a part of it."""
    quote = chunk.text[span.start : span.end]
    start, end = chunk.start + span.start, chunk.start + span.end
    inside = Span(chunk.start + highlight.start, chunk.start + highlight.end) if highlight else None
    return Citation(number, chunk.id, chunk.doc_id, chunk.source, start, end, quote, chunk.page, inside)


def find_marks(text: str, allow_circled: bool = True) -> list[Mark]:
    """Return the citations written in a text, in order.

    >>> [mark.numbers for mark in find_marks("三校合并[1, 3]。另见【２】、［1-3］和④。")]
    [(1, 3), (2,), (1, 2, 3), (4,)]
    """
    marks = []
    for match in _BRACKETED.finditer(text):
        circled = match["circled"]
        numbers = [_CIRCLED.index(circled) + 1] if circled else _numbers(match["list"])
        if numbers and (allow_circled or not circled):
            marks.append(Mark(match.start(), match.end(), tuple(dict.fromkeys(numbers))))
    return marks


def _numbers(written: str) -> list[int]:
    numbers: list[int] = []
    for first, last in _RANGE.findall(unicodedata.normalize("NFKC", written)):
        start, end = int(first), int(last or first)
        numbers += range(start, end + 1) if start <= end < start + _MAX_RANGE else [start, end]
    return numbers


def check_citations(text: str, passages: Sequence[Chunk], circled: bool = False) -> CheckedText:
    """Check every citation of ``text`` against ``passages``, whose numbers count from 1.

    Numbers without a passage are removed from the text. ``circled`` takes ① for a citation too; many texts use it to
    count their own points, so that it is asked for only where no bracket is written.
    """
    marks = find_marks(text, allow_circled=circled)
    warnings: list[str] = []
    cleaned, good_marks = _rewrite(text, marks, len(passages), warnings)
    citations: dict[tuple[int, int, int], Citation] = {}
    for span, numbers in _cited_sentences(cleaned, good_marks):
        said = _without_marks(cleaned, span, good_marks)
        for number in numbers:
            found, problem = support(said, passages[number - 1])
            citation = cite(number, passages[number - 1], found)
            citations.setdefault((number, citation.start, citation.end), citation)
            if problem:
                warnings.append(f"citation [{number}] {problem}: {_shown(said)}")
    return CheckedText(cleaned, tuple(citations.values()), tuple(dict.fromkeys(warnings)))


def support(said: str, passage: Chunk) -> tuple[Span, str]:
    """Return the sentence of a passage that supports what is said, and what is wrong with it (empty for nothing)."""
    spans = sentences(passage.text)
    whole = Span(0, len(passage.text))
    if language(said) != language(passage.text) and all_terms(said):
        return whole, "could not be checked, the passage is in another language"
    wanted = {term: rarity(term) for term in all_terms(said) if len(term) > 1 or term.isdigit()}
    total = sum(wanted.values())
    if not total:
        return whole, "could not be checked, there are no words to compare"
    shares = [
        sum(wanted[term] for term in wanted.keys() & all_terms(passage.text[s.start : s.end])) / total for s in spans
    ]
    in_all = sum(wanted[term] for term in wanted.keys() & all_terms(passage.text)) / total
    best = spans[shares.index(max(shares))] if shares else whole
    if not shares or in_all < MIN_OVERLAP:
        return best, "is not supported by the passage"
    unknown = {number for number in numeral_terms(said) - numeral_terms(passage.text) if len(number) > 1}
    if unknown:
        return best, f"is not supported by the passage, which does not mention {', '.join(sorted(unknown))}"
    return best, ""


def _rewrite(text: str, marks: list[Mark], count: int, warnings: list[str]) -> tuple[str, list[Mark]]:
    """Write all marks as ``[1][3]``, without numbers that have no passage."""
    out, kept, position = "", [], 0
    for mark in marks:
        good = tuple(number for number in mark.numbers if 1 <= number <= count)
        bad = (number for number in mark.numbers if number not in good)
        warnings += (f"citation [{number}] was removed: there are only passages 1 to {count}" for number in bad)
        before = text[position : mark.start]
        out += before if good else before.rstrip(" ")
        start = len(out)
        out += "".join(f"[{number}]" for number in good)
        if good:
            kept.append(Mark(start, len(out), good))
        position = mark.end
    return (out + text[position:]).strip(), kept


def _cited_sentences(text: str, marks: list[Mark]) -> list[tuple[Span, tuple[int, ...]]]:
    """Return the sentences that cite, with the numbers each cites.

    A mark after the full stop belongs to the sentence before it.
    """
    owned: dict[tuple[int, int], list[int]] = {}
    masked = list(text)
    for mark in marks:
        masked[mark.start : mark.end] = " " * (mark.end - mark.start)
    spans = sentences("".join(masked))
    for mark in marks:
        before = [span for span in spans if span.start < mark.start]
        after = [span for span in spans if span.start >= mark.end]
        if before or after:
            span = before[-1] if before else after[0]
            owned.setdefault((span.start, span.end), []).extend(mark.numbers)
    return [(Span(start, end), tuple(dict.fromkeys(numbers))) for (start, end), numbers in owned.items()]


def _without_marks(text: str, span: Span, marks: list[Mark]) -> str:
    out, position = "", span.start
    for mark in marks:
        if span.start <= mark.start < span.end:
            out += text[position : mark.start]
            position = mark.end
    return (out + text[position : span.end]).strip()


def _shown(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."
