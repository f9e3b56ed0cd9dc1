"""What a count of things sums up: ``A、B、C三校`` is three schools, and who asks which ones wants A, B and C."""

from __future__ import annotations

import re
from functools import lru_cache

from secondpass.text.asking import question_kind
from secondpass.text.language import HAN, language
from secondpass.text.normalize import fold
from secondpass.text.numerals import chinese_number
from secondpass.types import Span

_COUNT = re.compile(rf"(?:([二三四五六七八九十两兩])|(\d{{1,2}}))[{HAN}]{{1,5}}")
_BETWEEN = r"[、,，]|以?及|和|[与與]"
_STOP, _COMMA = re.compile(r"[。；;：:！!？?（(\n]"), re.compile(r"[,，]")
# What stands before the first of several things; words that names hold, too, are left to it: 有限, 自由, 华为.
_LEADING = re.compile(r".*(?:将(?!军)|將(?!軍)|把|(?<!自)由|是|包括|有(?!限)|被|分[别別]?[为為])", re.DOTALL)
_CLAUSE = re.compile("是|的$")  # A、B是当地的两大岛屿: not right before what counts them
_FARTHEST = 200
"""Characters before a count in which its things are looked for."""


def with_things_counted(question: str, text: str, span: Span) -> Span:
    """Return ``span`` with the things that it counts, where ``question`` asks which they are; of one of them all.

    They stand right before the count, and are as many as it says; elsewhere the span is returned as it is.

    >>> text = "2000年决定将西安交大、西安医大、陕西财院三校合并。"
    >>> found = with_things_counted("由哪几个学校合并？", text, Span(22, 24))
    >>> text[22:24], text[found.start : found.end]
    ('三校', '西安交大、西安医大、陕西财院三校')
    >>> with_things_counted("有几个学校合并？", text, Span(22, 24)) == Span(22, 24)
    True
    """
    if not _asks_for_a_list(question):
        return span
    counted = _COUNT.fullmatch(text, span.start, span.end)
    if counted:
        return _with_things(text, counted) or span
    behind = _STOP.split(text[span.end : span.end + _FARTHEST])[0]
    for counted in _COUNT.finditer(text, span.end, span.end + len(behind)):
        things = _with_things(text, counted)
        if things and things.start <= span.start and "、" in text[things.start : counted.start()]:
            return Span(things.start, counted.start())
    return span


@lru_cache(maxsize=256)
def _asks_for_a_list(question: str) -> bool:
    return question_kind(fold(question), language(question)) == "list"


def _with_things(text: str, counted: re.Match[str]) -> Span | None:
    """Return the things that stand right before what counts them, with it; None where they are not as many."""
    number = int(counted[2]) if counted[2] else chinese_number(fold(counted[1]))
    listed = _STOP.split(text[max(0, counted.start() - _FARTHEST) : counted.start()])[-1]
    if "、" in listed:  # which leaves no comma between the things
        listed = _COMMA.split(listed)[-1]
    for between in ("、", _BETWEEN):  # 埃及 and 和田 are names, where 、 alone gives as many
        first, *others = re.split(between, listed)
        if len(others) == number - 1:
            break
    leading = _LEADING.match(first)
    start = leading.end() if leading else 0
    if len(others) != number - 1 or _CLAUSE.search(listed, start) or not all(map(str.strip, (first[start:], *others))):
        return None
    return Span(counted.start() - len(listed) + start, counted.end())
