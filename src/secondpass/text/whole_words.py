"""Spans that do not cut a word, where words stand between spaces."""

from __future__ import annotations

import re

from secondpass.types import Span

_LETTER = r"A-Za-z\u00C0-\u024F_"
# A hyphen after a letter is part of the word: X-Process-Time, GPT-4. One between numbers says from where to where.
_WORD = re.compile(rf"[{_LETTER}0-9]+(?:(?<=[{_LETTER}])-[{_LETTER}0-9]+)*")

_LONGEST = 100
"""Characters before and after a span that are looked at."""


def whole_words(text: str, span: Span) -> Span:
    """Return ``span`` with all of the Latin words and numbers in which it begins and ends.

    >>> text = "add a header X-Process-Time in 1990-1995"
    >>> [text[one.start : one.end] for one in (whole_words(text, Span(13, 14)), whole_words(text, Span(31, 33)))]
    ['X-Process-Time', '1990']
    """
    start, end = span.start, span.end
    for word in _WORD.finditer(text, max(0, start - _LONGEST), min(len(text), end + _LONGEST)):
        if word.start() < start < word.end():
            start = word.start()
        if word.start() < end < word.end():
            end = word.end()
    return Span(start, end)
