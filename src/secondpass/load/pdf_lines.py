"""Lines of pages to paragraphs: what a PDF knows is lines, what a reader wants is sentences."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from secondpass.load.blocks import PAGE_BREAK, Block
from secondpass.load.cleaning import clean_characters, columns, glue, is_wide

_EDGE_LINES = 3
_FEWEST_PAGES = 3
_SHARE_OF_PAGES = 0.4
_FULL_SHARE = 0.8  # of the usual width: a line at least this wide goes on in the next one
_DIGITS = re.compile(r"\d+")
_PAGE_NUMBER = re.compile(
    r"[-–—·|\s]*(?:page\s*|第\s*|p\.\s*)?(?P<number>\d{1,4})(?:\s*(?:/|of|共)\s*\d{1,4})?\s*(?:页|頁)?(?:\s*[，,/]?\s*共\s*\d{1,4}\s*[页頁])?[-–—·|\s]*",
    re.IGNORECASE,
)
_STARTS_ITEM = re.compile(
    r"(?:[-*–]\s|[•●○▪■◆·](?:\s|$)|\(?\d{1,3}[.)、）:]\s?(?!\d)|[（(][一二三四五六七八九十\d]{1,3}[)）]"
    r"|第[一二三四五六七八九十百\d]{1,4}[章节条篇]|[一二三四五六七八九十]{1,3}、)"
)
_ENDS_SENTENCE = re.compile(r"[.!?。！？…:：;；][\"'”’」』）)]*$")
_STYLE_CHANGE = re.compile("\n\u200b(?=\n)\n?")
_BARE_MARK = re.compile(r"(?:[•●○▪■◆·]|\(?\d{1,3}[.)、）])")
_HYPHENATED = re.compile(r"[A-Za-z]{2,}-$")
_WORD = re.compile(r"[A-Za-z-]+")


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a page; ``gap``: the page shows more room than usual above it."""

    text: str
    gap: bool = False


def page_lines(text: str) -> list[Line]:
    """Return the lines of a page as pypdf gives it.

    Some writers put an empty line after every line; there, only two of them are a gap.
    """
    # A row of nothing but a zero-width space stands inside a line, where the style of writing changes.
    text = clean_characters(_STYLE_CHANGE.sub("", text)).replace("\f", "\n")
    rows = [re.sub(r"\s+", " ", row).strip() for row in text.split("\n")]
    gaps: list[int] = []  # empty rows before each line
    kept: list[str] = []
    empty = 0
    for row in rows:
        if row:
            gaps.append(empty)
            kept.append(row)
            empty = 0
        else:
            empty += 1
    between = gaps[1:]
    spaced = len(between) >= 3 and sum(gap > 0 for gap in between) >= 0.6 * len(between)
    return [Line(row, gap > spaced) for row, gap in zip(kept, gaps, strict=True)]


def drop_running_lines(pages: Sequence[list[Line]]) -> tuple[list[list[Line]], int]:
    """Return the pages without headers and footers that repeat and without page numbers, and how many lines went."""
    if len(pages) < _FEWEST_PAGES:
        return list(pages), 0
    repeated = _repeated_edges(pages)
    offsets: Counter[int] = Counter()
    for page, lines in enumerate(pages):
        offsets.update({number - page for line in _edges(lines) if (number := _page_number(line.text)) is not None})
    needed = max(_FEWEST_PAGES, _SHARE_OF_PAGES * sum(bool(lines) for lines in pages))
    counted = {offset for offset, count in offsets.items() if count >= needed}
    kept: list[list[Line]] = []
    dropped = 0
    for page, lines in enumerate(pages):
        rest = lines
        for from_end in (False, True):
            while rest and _runs(rest[-1 if from_end else 0].text, page, repeated, counted, from_end):
                rest = rest[:-1] if from_end else rest[1:]
                dropped += 1
        kept.append(rest)
    return kept, dropped


def _edges(lines: list[Line]) -> list[Line]:
    return lines[:_EDGE_LINES] + lines[max(_EDGE_LINES, len(lines) - _EDGE_LINES) :]


def _page_number(text: str) -> int | None:
    match = _PAGE_NUMBER.fullmatch(text)
    return int(match["number"]) if match else None


def _repeated_edges(pages: Sequence[list[Line]]) -> set[tuple[bool, str]]:
    seen: Counter[tuple[bool, str]] = Counter()
    for lines in pages:
        edges = {(False, _DIGITS.sub("#", line.text)) for line in lines[:_EDGE_LINES]}
        edges |= {(True, _DIGITS.sub("#", line.text)) for line in lines[-_EDGE_LINES:]}
        seen.update(edges)
    needed = max(_FEWEST_PAGES, _SHARE_OF_PAGES * sum(bool(lines) for lines in pages))
    # Bare numbers are left to the test whether they count the pages: cells of tables are numbers, too.
    return {edge for edge, count in seen.items() if count >= needed and edge[1].strip("# -–—/|")}


def _runs(text: str, page: int, repeated: set[tuple[bool, str]], counted: set[int], from_end: bool) -> bool:
    number = _page_number(text)
    if number is not None:
        return number - page in counted
    return (from_end, _DIGITS.sub("#", text)) in repeated


def join_pages(pages: Sequence[list[Line]]) -> tuple[Block, ...]:
    """Put the lines together to paragraphs, over page ends too; a page's start is marked in the text."""
    widths = sorted(columns(line.text) for lines in pages for line in lines)
    full_width = _FULL_SHARE * widths[int(len(widths) * 0.9)] if widths else 0
    words = Counter(word for lines in pages for line in lines for word in _WORD.findall(line.text))
    blocks: list[Block] = []
    current, before = "", ""
    for page, lines in enumerate(pages):
        page_break = PAGE_BREAK if page else ""
        for number, line in enumerate(lines):
            if before and _goes_on(before, line, full_width, new_page=number == 0):
                current = _joined(current, page_break, line.text, words)
            else:
                _add(blocks, current)
                current = page_break + line.text
            page_break, before = "", line.text
        current += page_break
    _add(blocks, current)
    return tuple(blocks)


def _add(blocks: list[Block], text: str) -> None:
    item = bool(_STARTS_ITEM.match(text.lstrip(PAGE_BREAK)))
    after_item = bool(blocks) and bool(_STARTS_ITEM.match(blocks[-1].text.lstrip(PAGE_BREAK)))
    blocks.append(Block(text, tight=item and after_item))


def _goes_on(before: str, line: Line, full_width: float, *, new_page: bool) -> bool:
    """Tell whether a line goes on in the next one."""
    after = line.text
    gap = line.gap and not new_page
    if _STARTS_ITEM.match(after):
        return False
    if _BARE_MARK.fullmatch(before) or _HYPHENATED.search(before) or before[-1] in "，、,":
        return True
    ended = bool(_ENDS_SENTENCE.search(before))
    full = columns(before) >= full_width
    if not ended:
        if gap and not after[0].islower():
            return full and is_wide(before[-1]) and is_wide(after[0])
        return full or (after[0].islower() and not gap)
    # After a sentence, a short line that is no end of a sentence is a heading.
    heading = columns(after) < full_width and not _ENDS_SENTENCE.search(after)
    return full and not gap and not new_page and not heading


def _joined(current: str, page_break: str, line: str, words: Counter[str]) -> str:
    if _HYPHENATED.search(current) and line[0].islower():
        first, second = _WORD.findall(current)[-1], _WORD.match(line)
        rest = second.group() if second else ""
        if words[first + rest] <= words[first[:-1] + rest]:  # "well-known" is written so elsewhere: the hyphen stays
            current = current[:-1]
        return current + page_break + line
    return current + glue(current.rstrip(PAGE_BREAK), line) + page_break + line
