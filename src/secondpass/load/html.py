"""HTML to blocks: the main text of a page, found by trafilatura, or the whole page where that finds too little."""

from __future__ import annotations

import logging
import re
from typing import Any

import trafilatura

from secondpass.load.blocks import Block, Parsed
from secondpass.load.html_tree import parse_tree, strip_tags, tree_blocks
from secondpass.load.parser_errors import PARSER_ERRORS

# What it has to say of a page is said in metadata.
logging.getLogger("trafilatura").setLevel(logging.CRITICAL)
logging.getLogger("htmldate").setLevel(logging.CRITICAL)

_CHARSET = re.compile(
    rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([\w:.-]{2,40})"""
    rb"""|<\?xml[^>]{0,100}?encoding=["']([\w.-]{2,40})""",
    re.IGNORECASE,
)
_CHARSET_STANDS_WITHIN = 2048
_SHORT, _SHARE_OF_SHORT = 300, 0.5
_FLATTENED_SHARE, _FLATTENED_BLOCKS = 0.7, 3
_LEAST_SHARE = 0.1


def declared_charset(data: bytes) -> str | None:
    """Return the encoding a page names itself, in a meta tag or an XML declaration."""
    match = _CHARSET.search(data[:_CHARSET_STANDS_WITHIN])
    if match is None:
        return None
    name = (match[1] or match[2]).decode("ascii", "replace").lower()
    # The page was read byte by byte to find the tag: it cannot be UTF-16, whatever it says (HTML standard, 13.2.3.2).
    return "utf-8" if name.startswith(("utf-16", "utf-32")) else name


def parse_html(text: str) -> Parsed:
    """Take a page apart."""
    tree = parse_tree(text)
    if tree is None:
        return Parsed(tuple(strip_tags(text)), remarks=(("extraction", "tags stripped"),))
    title = _title(tree)
    main = _main_blocks(text)
    whole = list(tree_blocks(tree, furniture=False)) or list(tree_blocks(tree))
    if _enough(main, whole):
        return Parsed(tuple(main), title, (("extraction", "main text"),))
    return Parsed(tuple(whole), title, (("extraction", "whole page"),))


def _main_blocks(text: str) -> list[Block]:
    tree = parse_tree(text)
    try:
        found = trafilatura.bare_extraction(
            tree, include_comments=False, include_tables=True, include_formatting=True, favor_recall=True
        )
    except PARSER_ERRORS:
        return []
    body: Any = getattr(found, "body", None)
    return [] if body is None else list(tree_blocks(body))


def _enough(main: list[Block], whole: list[Block]) -> bool:
    found, there = (sum(len(block.text) for block in blocks) for blocks in (main, whole))
    if found == 0:
        return False
    # All the words, but poured into one: trafilatura's last resort.
    if found >= _FLATTENED_SHARE * there and _FLATTENED_BLOCKS * len(main) < len(whole):
        return False
    return found >= _LEAST_SHARE * there if found >= _SHORT else found >= _SHARE_OF_SHORT * there


def _title(tree: Any) -> str:
    for path in ("//head/title", "//title"):
        for element in tree.xpath(path):
            words = " ".join("".join(element.itertext()).split())
            if words:
                return words
    return ""
