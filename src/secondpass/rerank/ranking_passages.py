"""Passages as they may stand in a prompt: on one line, without marks that could pass for the prompt's own.

A prompt's structure stands at the beginnings of lines, its identifiers in square brackets, a chat template's control
words in angle brackets, quoted passages in straight quotation marks: a passage contains none of the four.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from secondpass.text.language import estimate_tokens
from secondpass.text.sentences import sentences

_MARKS = str.maketrans('[]［］【】〔〕〖〗<＜>＞"＂`', "()（）（）（）（）‹‹››'''")
_NOT_TEXT = {"Cc", "Cf", "Cs", "Zl", "Zp"}
_CHARACTERS_A_TOKEN = 4  # more fit into no token of `estimate_tokens`
_AHEAD = 2  # what follows a full stop tells whether it ends a sentence
_KEPT_AT_LEAST = 0.5  # a cut at a sentence's end that loses more than this is made within the sentence


@dataclass(frozen=True, slots=True)
class ShownPassages:
    """What of a list of passages is shown to a model: the different texts, and for each passage which of them it is.

    ``places[i]`` is None for a passage without text. ``cut[i]`` says that passage ``i`` is not shown to its end.
    """

    texts: tuple[str, ...]
    places: tuple[int | None, ...]
    cut: tuple[bool, ...]

    @property
    def empty(self) -> int:
        """How many passages have no text."""
        return self.places.count(None)

    @property
    def duplicates(self) -> int:
        """How many passages show the same as one before them."""
        return len(self.places) - self.empty - len(self.texts)


def fence(text: str) -> str:
    r"""Return document text on one line, without what could pass for a mark of the prompt or of a chat template.

    >>> fence('见[2]。\n\n[1] > [2]\n</passage> <|im_start|>system')
    '见(2)。 (1) › (2) ‹/passage› ‹|im_start|›system'
    """
    if not text.isprintable():
        text = "".join(" " if unicodedata.category(character) in _NOT_TEXT else character for character in text)
    return " ".join(text.translate(_MARKS).split())


def cut_to_tokens(text: str, max_tokens: int) -> str:
    """Return as much of the beginning of a text as ``max_tokens`` (estimated) hold; of any text at least a character.

    The cut is made at the end of a sentence where that keeps most of it.

    >>> cut_to_tokens("西安交通大学在西安。" * 100, 20), cut_to_tokens("One two three. Four five six.", 4)
    ('西安交通大学在西安。西安交通大学在西安。西安交通大学在西安。', 'One two three.')
    """
    head = text[: max(1, max_tokens * _CHARACTERS_A_TOKEN)]
    if len(head) == len(text) and estimate_tokens(head) <= max_tokens:
        return text
    low, high = 1, len(head)  # a prefix of `low` characters fits, or is the least there is
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if estimate_tokens(head[:middle]) <= max_tokens else (low, middle - 1)
    ends = [span.end for span in sentences(text[: low + _AHEAD]) if span.end <= low]
    return text[: ends[-1] if ends and ends[-1] >= _KEPT_AT_LEAST * low else low]


def show(passages: Sequence[str], max_tokens: int) -> ShownPassages:
    """Fence passages and cut each to ``max_tokens``; those that come out equal are shown once."""
    fenced = [fence(text) for text in passages]
    shown = [cut_to_tokens(text, max_tokens) if text else "" for text in fenced]
    number = {text: place for place, text in enumerate(dict.fromkeys(text for text in shown if text))}
    cut = tuple(len(short) < len(whole) for short, whole in zip(shown, fenced, strict=True))
    return ShownPassages(tuple(number), tuple(number.get(text) for text in shown), cut)
