"""Find the tokens of a passage where an answer stands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from secondpass.models.engine import TokenIds

Places: TypeAlias = tuple[tuple[int, int], ...]
"""First and last token of each place where an answer stands."""
PLACES = ("passage", "firsts", "lasts")
"""Parts of a batch, bool [B, L]: tokens of the passage, tokens with which an answer begins, and with which it ends."""


def answer_places(text: str, offsets: TokenIds, answers: Sequence[str], most: int = 8) -> Places:
    """Return the tokens of the places where one of ``answers`` stands in ``text``.

    ``offsets``: int64 [L, 2], the characters that tokens were made of. Upper and lower case are the same; a place
    within a Latin word or a number does not count.
    """
    lowered = text.lower()
    if len(lowered) != len(text):  # rare letters grow in lower case, and places would shift
        lowered = text
    found: dict[tuple[int, int], None] = {}
    for answer in answers:
        sought = answer.strip().lower()
        start = lowered.find(sought) if sought else -1
        while start >= 0 and len(found) < most:
            end = start + len(sought)
            if _stands_alone(lowered, start, end):
                tokens = [i for i, (first, last) in enumerate(offsets) if first < end and last > start]
                if tokens:
                    found[tokens[0], tokens[-1]] = None
            start = lowered.find(sought, start + 1)
    return tuple(found)


def _stands_alone(text: str, start: int, end: int) -> bool:
    def joined(left: str, right: str) -> bool:
        return bool(left and right) and left.isascii() and right.isascii() and left.isalnum() and right.isalnum()

    return not joined(text[start - 1 : start], text[start]) and not joined(text[end - 1], text[end : end + 1])
