"""A tree of elements, HTML or trafilatura's, to blocks."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import Any

from lxml import etree  # type: ignore[import-untyped]
from lxml import html as lxml_html

from secondpass.load.blocks import Block
from secondpass.load.cleaning import LINE_BREAK, collapse
from secondpass.load.html_tags import BLOCK_TAGS, FURNITURE_TAGS, HEADINGS, SKIPPED_TAGS
from secondpass.load.parser_errors import LXML_ERROR

_ANY_TAG = re.compile(r"<!--.*?(?:-->|$)|<[/!?A-Za-z][^>]*(?:>|$)", re.DOTALL)
_SKIPPED_ELEMENT = re.compile(r"<(script|style)\b.*?(?:</\1\s*>|$)", re.DOTALL | re.IGNORECASE)
_CELLS = frozenset({"td", "th", "cell"})
_ROWS = frozenset({"tr", "row"})
_LAYOUT = ("table", "head", "h1", "h2", "h3", "h4", "h5", "h6", "pre")
_HOLDS_CODE = frozenset({"body", "main", "article", "section", "div", "quote", "item", "code"})
_ITEMS = frozenset({"li", "item"})
_LISTS = frozenset({"ul", "ol", "list", "menu", "dir"})


def parse_tree(text: str) -> Any | None:
    """Return the element tree of a page; None where there is none or it is nested too deep to be read whole.

    Nothing is fetched, no entity of the page's own is expanded.
    """
    parser = lxml_html.HTMLParser(remove_comments=True, remove_pis=True, no_network=True, encoding="utf-8")
    try:
        tree = lxml_html.document_fromstring(text.encode("utf-8", "replace"), parser=parser)
    except (LXML_ERROR, ValueError, AssertionError):
        return None
    # libxml2 reads no further than 256 elements deep, and drops the rest without an error of its own.
    return None if any("xcessive depth" in entry.message for entry in parser.error_log) else tree


def strip_tags(text: str) -> list[Block]:
    """Return the words of a page that no tree can be made of."""
    text = _SKIPPED_ELEMENT.sub(" ", text)
    words = html.unescape(_ANY_TAG.sub("\n\n", text))
    return [Block(collapse(piece).strip()) for piece in re.split(r"\n\s*\n", words) if piece.strip()]


def fragment_blocks(text: str) -> list[Block]:
    """Return the blocks of a piece of HTML, as it stands in Markdown."""
    if not _ANY_TAG.sub("", text).strip() and "alt" not in text:
        return []
    tree = parse_tree(text)
    return strip_tags(text) if tree is None else list(tree_blocks(tree))


def tree_blocks(tree: Any, *, furniture: bool = True) -> Iterator[Block]:
    """Yield the blocks of a tree in reading order; without ``furniture`` what surrounds the text is left out."""
    walker = _Walker(furniture=furniture)
    # iterwalk, not recursion: pages may nest deeper than Python calls may.
    for event, element in etree.iterwalk(tree, events=("start", "end")):
        if isinstance(element.tag, str):
            yield from walker.start(element) if event == "start" else walker.end(element)
    yield from walker.flush()


class _Walker:
    """Collects the words of one block until the next one begins."""

    def __init__(self, *, furniture: bool) -> None:
        self._left_out = SKIPPED_TAGS if furniture else SKIPPED_TAGS | FURNITURE_TAGS
        self._words: list[str] = []
        self._skipping = 0
        self._literal = 0  # depth of elements whose white space counts
        self._level = 0
        self._lists: list[int | None] = []
        self._mark = ""
        self._tight = False
        self._in_row = False

    def start(self, element: Any) -> Iterator[Block]:
        tag = element.tag.lower()
        if self._skipping or tag in self._left_out:
            self._skipping += 1
            return
        if self._breaks(tag, element):
            yield from self.flush()
            self._begin(tag, element)
        elif tag in _CELLS:
            self._words.append(" | " if any(word.strip() for word in self._words) else "")
        elif tag in ("br", "lb"):
            self._words.append(" " if self._in_row else LINE_BREAK)
        elif tag in ("img", "graphic"):
            self._words.append(element.get("alt") or "")
        elif tag in BLOCK_TAGS:
            self._words.append(" ")
        self._words.append(element.text or "")

    def end(self, element: Any) -> Iterator[Block]:
        tag = element.tag.lower()
        if self._skipping:
            self._skipping -= 1
        elif self._breaks(tag, element):
            yield from self.flush()
            self._finish(tag)
        if not self._skipping:
            self._words.append(element.tail or "")

    def _breaks(self, tag: str, element: Any) -> bool:
        """Tell whether an element is a block of its own here; inside a row of a table nothing is."""
        if self._in_row:
            return tag in _ROWS
        if tag == "code":  # only trafilatura's trees have code that is not inside <pre>
            parent = element.getparent()
            return parent is not None and parent.tag in _HOLDS_CODE and "\n" in "".join(element.itertext())
        return tag in BLOCK_TAGS or tag in _CELLS

    def flush(self) -> Iterator[Block]:
        raw = "".join(self._words)
        self._words = []
        words = raw.replace(LINE_BREAK, "\n").strip("\n").rstrip() if self._literal else collapse(raw).strip()
        if not words.strip():
            return
        if self._lists and not self._literal and not self._level:
            words = "  " * (len(self._lists) - 1) + (self._mark or "  ") + words
            self._mark = ""
        yield Block(words, self._level, tight=self._tight and not self._level)
        self._tight = bool(self._lists) and not self._literal

    def _begin(self, tag: str, element: Any) -> None:
        if tag in HEADINGS or (tag == "head" and element.get("rend")):
            self._level = HEADINGS.get(tag) or HEADINGS.get(str(element.get("rend")), 1)
        elif tag in ("pre", "code"):
            self._literal += 1
        elif tag in _ROWS:
            # A table that holds headings or tables lays out a page; its cells are read one after the other.
            self._in_row = next(element.iter(*_LAYOUT), None) is None
        elif tag in _LISTS:
            if not self._lists:
                self._tight = False
            self._lists.append(1 if tag == "ol" or element.get("rend") == "ol" else None)
        elif tag in _ITEMS and self._lists:
            number = self._lists[-1]
            self._mark = "- " if number is None else f"{number}. "
            if number is not None:
                self._lists[-1] = number + 1

    def _finish(self, tag: str) -> None:
        if tag in HEADINGS or tag == "head":
            self._level = 0
        elif tag in ("pre", "code"):
            self._literal = max(0, self._literal - 1)
        elif tag in _LISTS:
            if self._lists:
                self._lists.pop()
            self._tight = bool(self._lists)
        elif tag in _ROWS:
            self._tight, self._in_row = self._in_row, False
        elif tag == "table":
            self._tight = False
