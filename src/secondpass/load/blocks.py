"""The pieces every format is taken apart into, and how they become one text with headings and pages."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from secondpass.load.cleaning import clean_characters, strip_line_ends
from secondpass.types import Heading, Json

PAGE_BREAK = "\f"
"""Stands in a block's text where a new page starts; `assemble` turns it into an offset."""


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, a heading (``level`` 1 to 9), a list item, a table row or a piece of code.

    ``tight``: it follows the block before it on the next line, without an empty line between.
    """

    text: str
    level: int = 0
    tight: bool = False


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a format's parser found: the blocks in reading order, a title if it states one, and remarks."""

    blocks: tuple[Block, ...]
    title: str = ""
    remarks: tuple[tuple[str, Json], ...] = ()
    paged: bool = False
    outline: tuple[tuple[int, int, str], ...] = ()
    """Headings known by page only: page (from 0), level, title."""


@dataclass(frozen=True, slots=True)
class Assembled:
    """One cleaned text with the places of its headings and pages."""

    text: str
    headings: tuple[Heading, ...]
    pages: tuple[int, ...]


def assemble(blocks: Iterable[Block], *, paged: bool) -> Assembled:
    """Put blocks into one text; ``pages`` stays empty unless ``paged``."""
    text = _Text()
    for block in blocks:
        words = _clean(block.text)
        if block.level:
            text.waiting_pages += words.count(PAGE_BREAK)
            words = " ".join(words.split())
        start = text.add(words, tight=block.tight)
        if block.level and start is not None:
            text.headings.append(Heading(start, block.level, words))
    text.pages += [text.length] * text.waiting_pages
    return Assembled("".join(text.pieces), tuple(text.headings), tuple(text.pages) if paged else ())


_MANY_LINES = re.compile("\n{3,}")
_LINES_AND_PAGES = re.compile(r"(?<!\s)[^\S\n]*\n\s*")


def _clean(text: str) -> str:
    """Clean characters, leave at most one empty line, and let pages start after the empty lines, not before."""
    words = clean_characters(text)
    if PAGE_BREAK not in words:
        return _MANY_LINES.sub("\n\n", words).strip("\n")
    words = strip_line_ends(_LINES_AND_PAGES.sub(_lines_before_pages, words).strip("\n"))
    body = words.rstrip()
    return body + PAGE_BREAK * words.count(PAGE_BREAK, len(body))


def _lines_before_pages(match: re.Match[str]) -> str:
    run = match.group()
    indent = re.split(f"[\n{PAGE_BREAK}]", run)[-1]
    return "\n" * min(2, run.count("\n")) + PAGE_BREAK * run.count(PAGE_BREAK) + indent


class _Text:
    """The text while it grows; a page starts at its first character."""

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self.length = 0
        self.headings: list[Heading] = []
        self.pages = [0]
        self.waiting_pages = 0  # page breaks after which no character has come yet

    def add(self, words: str, *, tight: bool) -> int | None:
        """Append a block and return where it starts; None when it has no characters."""
        start: int | None = None
        for number, part in enumerate(words.split(PAGE_BREAK)):
            self.waiting_pages += number > 0
            if not part or (start is None and not part.strip()):
                continue
            if start is None:
                self._append(("\n" if tight else "\n\n") if self.pieces else "")
                start = self.length
            self.pages += [self.length] * self.waiting_pages
            self.waiting_pages = 0
            self._append(part)
        return start

    def _append(self, words: str) -> None:
        self.pieces.append(words)
        self.length += len(words)
