"""Halves of surrogate pairs: characters that JSON may write alone, and that no tokenizer and no UTF-8 file takes."""

from __future__ import annotations

import re

_SURROGATE = re.compile("[\ud800-\udfff]")


def encodable(text: str) -> str:
    r"""Return ``text`` with halves of surrogate pairs replaced; its length stays.

    >>> encodable("西 \ud800 安")
    '西 � 安'
    """
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)
