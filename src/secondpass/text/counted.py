"""A number with what it counts: who asks how many student societies there are is shown ``156个学生社团``.

For showing: as evidence the number alone is what answers (docs/log.md).
"""

from __future__ import annotations

import re
from itertools import takewhile

from secondpass.text.asking import NO_NOUN
from secondpass.text.language import HAN
from secondpass.types import Span

_HOW_MANY_ZH = re.compile(
    rf"(?:多少|[几幾])[个個名位条條所家座种種次张張支只隻本部届屆项項处處台辆輛间間门門款]?([{HAN}]{{2,}})"
)
_HOW_MANY_EN = re.compile(r"\bhow many ([\w -]+)", re.IGNORECASE)
_NO_NOUN_ZH = frozenset("的在是以由于於为為有被从從到了过過不能可会會将將让讓给給把和与與及")
_NUMBER = re.compile(rf"[\d{HAN}]\S*$|\b(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)$", re.IGNORECASE)


def with_what_is_counted(question: str, text: str, span: Span) -> Span:
    """Return ``span``, a number, with the words right behind it that ``question`` asks how many there are of.

    >>> text = "有156个学生社团，科技活动丰富。"
    >>> found = with_what_is_counted("西安交大有多少个学生社团？", text, Span(1, 5))
    >>> text[found.start : found.end]
    '156个学生社团'
    >>> with_what_is_counted("学生社团何时成立？", text, Span(1, 5)) == Span(1, 5)
    True
    """
    if not _NUMBER.search(text[span.start : span.end]):
        return span
    behind = text[span.end :]
    for match in _HOW_MANY_ZH.finditer(question):
        pairs = zip(match[1], behind, strict=False)
        alike = takewhile(lambda pair: pair[0] == pair[1] and pair[0] not in _NO_NOUN_ZH, pairs)
        if (length := sum(1 for _ in alike)) > 1:
            return Span(span.start, span.end + length)
    for match in _HOW_MANY_EN.finditer(question):
        counted = " " + " ".join(takewhile(lambda word: word.lower() not in NO_NOUN, match[1].split()))
        follows = (
            behind[: len(counted)].lower() == counted.lower() and not behind[len(counted) : len(counted) + 1].isalnum()
        )
        if counted.strip() and follows:
            return Span(span.start, span.end + len(counted))
    return span
