"""Make text safe to print: what comes from documents, files and servers is data, and may not steer a terminal."""

from __future__ import annotations

import re

# Control characters but tab and line feed, and those that turn the direction of writing.
_STEERING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def plain(text: str) -> str:
    r"""Return ``text`` without what could steer a terminal.

    >>> plain("\x1b[31mred\u202e")
    '[31mred'
    """
    return _STEERING.sub("", text)
