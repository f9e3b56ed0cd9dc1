"""Cut a long passage into overlapping windows of whole sentences, where no tokenizer of the model is at hand."""

from __future__ import annotations

from bisect import bisect_left

from secondpass.text.language import estimate_tokens
from secondpass.text.sentences import sentences
from secondpass.types import Span


def sentence_windows(text: str, max_tokens: int) -> list[Span]:
    """Return windows of at most ``max_tokens`` estimated tokens that together cover ``text``.

    Neighbours share their last and first sentence where that leaves room for something new; a sentence longer than a
    window is cut. A text that fits is one window.
    """
    if estimate_tokens(text) <= max_tokens:
        return [Span(0, len(text))]
    pieces = [piece for sentence in sentences(text) for piece in _fitting(text, sentence, max_tokens)]
    windows: list[Span] = []
    first = 0
    for index in range(1, len(pieces) + 1):
        if index < len(pieces) and _fits(text, pieces[first].start, pieces[index].end, max_tokens):
            continue
        windows.append(Span(pieces[first].start, pieces[index - 1].end))
        if index < len(pieces):
            back = index - 1
            first = back if back > first and _fits(text, pieces[back].start, pieces[index].end, max_tokens) else index
    return windows or [Span(0, len(text))]


def _fits(text: str, start: int, end: int, max_tokens: int) -> bool:
    return estimate_tokens(text[start:end]) <= max_tokens


def _fitting(text: str, sentence: Span, max_tokens: int) -> list[Span]:
    """Return ``sentence`` in pieces that each fit."""
    pieces: list[Span] = []
    start = sentence.start
    while start < sentence.end:
        window = text[start : min(sentence.end, start + 4 * max_tokens + 4)]
        length = bisect_left(range(1, len(window) + 1), max_tokens + 1, key=lambda size: estimate_tokens(window[:size]))
        end = start + max(length, 1)
        pieces.append(Span(start, end))
        start = end
    return pieces
