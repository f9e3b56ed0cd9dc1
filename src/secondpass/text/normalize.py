"""Fold away differences of writing that do not change what a word is.

Full-width forms, traditional and simplified characters, case and accents all meet in one form. Folding is for
comparing; what people read is never folded.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from importlib.resources import files

_FIRST_MARK, _LAST_MARK = (
    0x0300,
    0x036F,
)  # combining accents of Latin, Greek and Cyrillic; kana voicing marks lie elsewhere
_QUOTES = {"’": "'", "‘": "'", "ʼ": "'", "＇": "'", "“": '"', "”": '"', "‐": "-", "‑": "-", "–": "-", "—": "-"}


@cache
def _fold_table() -> dict[int, str | None]:
    before, after = files("secondpass.text").joinpath("han_fold.txt").read_text(encoding="utf-8").splitlines()
    table: dict[int, str | None] = {ord(a): b for a, b in zip(before, after, strict=True)}
    table |= {ord(a): b for a, b in _QUOTES.items()}
    table |= dict.fromkeys(range(_FIRST_MARK, _LAST_MARK + 1))
    return table


def fold(text: str) -> str:
    """Return ``text`` in the form in which words are compared.

    Compatibility forms (NFKD), no accents, lower case, traditional characters as simplified ones. The length may
    change.

    >>> fold("ＣＯＲＳ　緩存"), fold("Café"), fold("什麼")
    ('cors 缓存', 'cafe', '什幺')
    """
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFKD", text).translate(_fold_table())).lower()


def is_han(character: str) -> bool:
    """Tell whether a character is a Chinese character.

    >>> is_han("漢"), is_han("a"), is_han("。")
    (True, False, False)
    """
    code = ord(character)
    return (
        0x4E00 <= code <= 0x9FFF or 0x3400 <= code <= 0x4DBF or 0x20000 <= code <= 0x323AF or 0xF900 <= code <= 0xFAFF
    )
