"""Plain text and reStructuredText to blocks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from secondpass.load.blocks import PAGE_BREAK, Block, Parsed
from secondpass.load.cleaning import columns, is_wide, join_lines

_PARAGRAPHS = re.compile(r"\n[^\S\n\f]*\n(?:[^\S\n\f]*\n)*")
_STARTS_ITEM = re.compile(
    r"\s*(?:[-*•·+–]\s|\(?\d{1,3}[.)、）]|[（(][一二三四五六七八九十\d]{1,3}[)）]|第?[一二三四五六七八九十]{1,3}[、章节条])"
)
_INDENTED = re.compile(r"[ \t\u3000]{2,}|\u3000|\t")
_NARROWEST, _WIDEST = 30, 132
_FEWEST_WRAPS = 4
_SHARE_OF_WRAPS = 0.8
_SHARE_GOING_ON, _MOST_ENDED = 0.5, 0.5
_SLACK_COLUMNS = 4  # a Chinese line may end early, so that no mark begins the next one


def parse_plain(text: str) -> Parsed:
    """Take a text apart at its empty lines; lines are joined only where the text is clearly hard-wrapped."""
    paged = PAGE_BREAK in text
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    pieces = [piece for piece in _PARAGRAPHS.split(text) if piece.strip(" \t\n\u3000")]
    paragraphs = [piece.split("\n") for piece in pieces]
    if is_wrapped(paragraphs):
        blocks = [Block(words) for lines in paragraphs for words in _unwrapped(lines)]
        return Parsed(tuple(blocks), remarks=(("wrapped_lines_joined", True),), paged=paged)
    return Parsed(tuple(Block(piece) for piece in pieces), paged=paged)


def is_wrapped(paragraphs: Sequence[Sequence[str]]) -> bool:
    """Tell whether lines end where the width ends: the next word would not have fitted on the line."""
    breaks = [
        (line.rstrip(), following.strip())
        for lines in paragraphs
        for line, following in pairwise(lines)
        if line.strip() and following.strip() and not _begins(following)
    ]
    if len(breaks) < _FEWEST_WRAPS or not _are_prose(breaks):
        return False
    widths = sorted(columns(line) for line, _ in breaks)
    width = widths[int(len(widths) * 0.98)]
    if not _NARROWEST <= width <= _WIDEST:
        return False
    full = sum(columns(line) + _first_word_columns(following) > width - _SLACK_COLUMNS for line, following in breaks)
    return full >= _SHARE_OF_WRAPS * len(breaks)


def _are_prose(breaks: Sequence[tuple[str, str]]) -> bool:
    """Tell lines that go on from records of one length, which begin with dates or names and end with a stop."""
    going_on = sum(following[0].islower() or is_wide(following[0]) for _, following in breaks)
    ended = sum(line.endswith(("。", "！", "？", ".", "!", "?", "；", ";")) for line, _ in breaks)
    return going_on >= _SHARE_GOING_ON * len(breaks) and ended <= _MOST_ENDED * len(breaks)


def _first_word_columns(line: str) -> int:
    if is_wide(line[0]):
        return 2
    word = re.match(r"\S+", line)
    return 1 + (columns(word.group()) if word else 0)


def _begins(line: str) -> bool:
    return bool(_INDENTED.match(line) or _STARTS_ITEM.match(line))


def _unwrapped(lines: Sequence[str]) -> Iterator[str]:
    current: list[str] = []
    for line in lines:
        if current and _begins(line):
            yield join_lines(current)
            current = []
        current.append(line)
    if current:
        yield join_lines(current)
