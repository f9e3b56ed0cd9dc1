"""How a quote is shown in an answer."""

from __future__ import annotations

import re

_MARKUP = re.compile(r"^(?:[-*+>•]\s+|\d{1,3}[.)、]\s+|\|)+|[*_`]{2,}", re.MULTILINE)
_WHITE = re.compile(r"\s+")


def readable(text: str) -> str:
    """Return a quote on one line, without the marks of lists and emphasis."""
    return _WHITE.sub(" ", _MARKUP.sub("", text)).strip()
