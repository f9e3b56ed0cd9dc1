"""Widen a sentence to what it needs to be understood: its subject before it, its value or its list after it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from secondpass.answer.candidates import holds_candidate
from secondpass.answer.question import Question
from secondpass.types import Span

_LEANS_BACK = re.compile(
    r"^[\W_]*(?:[它他她其该此]|这[些个种项]?|那[些个]|上述|前者|后者|同[年月日时]|随后|但|此[外后]"
    r"|(?:It|They|He|She|This|These|Those|Its|His|Her|Their|That)\b)"
)
_LEADS_ON = re.compile(r"[:：]\s*[*_`]*$")
_LIST_ITEM = re.compile(r"[-*+•·]\s|\(?\d{1,2}[.)、）]|[（(]?[一二三四五六七八九十][、）)]")
_HEADING = re.compile(r"#{1,6}\s")
_MAX_BACK, _MAX_ITEMS, _MAX_CHARACTERS = 2, 6, 400
_VALUE_KINDS = {"count", "when"}


def widen(question: Question, text: str, spans: Sequence[Span], place: int) -> Span:
    """Return the span of the sentence at ``place`` of ``spans``, with the neighbours it leans on.

    A sentence that begins with a pronoun takes the one before; one that ends with a colon takes the list that follows;
    one without the number or time asked for takes the next one if that has it.
    """
    first = last = place
    while first > 0 and place - first < _MAX_BACK and _LEANS_BACK.match(_cut(text, spans[first])):
        if not _may_join(text, spans[first - 1], spans[last]):
            break
        first -= 1
    if _LEADS_ON.search(_cut(text, spans[last])):
        while last + 1 < len(spans) and last - place < _MAX_ITEMS and _LIST_ITEM.match(_cut(text, spans[last + 1])):
            last += 1
    elif (
        question.kind in _VALUE_KINDS
        and last + 1 < len(spans)
        and not holds_candidate(question, _cut(text, spans[place]))
        and holds_candidate(question, _cut(text, spans[last + 1]))
        and _may_join(text, spans[last + 1], spans[last])
    ):
        last += 1
    return Span(spans[first].start, spans[last].end)


def _cut(text: str, span: Span) -> str:
    return text[span.start : span.end]


def _may_join(text: str, other: Span, own: Span) -> bool:
    length = max(other.end, own.end) - min(other.start, own.start)
    between = text[min(other.end, own.end) : max(other.start, own.start)]
    return length <= _MAX_CHARACTERS and not _HEADING.match(_cut(text, other)) and "\n#" not in between
