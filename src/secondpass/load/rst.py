"""ReStructuredText to blocks: headings and inline marks; directives lose their mark and keep their content."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator

from secondpass.load.blocks import Block, Parsed
from secondpass.load.cleaning import join_lines

_LINE_OF_MARKS = re.compile(r"([=\-`:.'\"~^_*+#<>])\1{2,}\s*$")
_TARGET = re.compile(r"\s*\.\. _[^:]*:.*$|\s*\.\. \|.*$")
_DIRECTIVE = re.compile(r"\s*\.\. [\w:-]+::[ \t]*(?P<words>.*)$")
_CODE = re.compile(r"\s*\.\. (?:code|code-block|sourcecode|parsed-literal|doctest|testcode|math)::")
_COMMENT = re.compile(r"\s*\.\.(?:[ \t].*)?$")
_OPTION = re.compile(r"\s+:[\w-]+:.*$")
_SILENT_DIRECTIVES = (
    "image",
    "figure",
    "include",
    "toctree",
    "highlight",
    "contents",
    "index",
    "module",
    "currentmodule",
)
_INLINE = (
    (re.compile(r"``(.+?)``", re.DOTALL), r"\1"),
    (re.compile(r":[\w:+-]+:`([^`<]+?)\s*(?:<[^`]*>)?`", re.DOTALL), r"\1"),
    (re.compile(r"`([^`<]+?)\s*(?:<[^`]*>)?`_{0,2}", re.DOTALL), r"\1"),
    (re.compile(r"\*\*(\S(?:.*?\S)?)\*\*", re.DOTALL), r"\1"),
    (re.compile(r"(?<![*\w])\*(\S(?:[^*]*?\S)?)\*(?![*\w])", re.DOTALL), r"\1"),
    (re.compile(r"::$"), ":"),
)
_STARTS_ITEM = re.compile(r"\s*(?:[-*•+]|\d+[.)]|#\.)\s+")


def parse_rst(text: str) -> Parsed:
    """Take a reStructuredText apart."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").replace("\f", "\n").split("\n")
    return Parsed(tuple(_blocks(lines)))


def _blocks(lines: list[str]) -> Iterator[Block]:
    marks: list[str] = []  # in the order in which they appear, which is what gives a heading its level
    paragraph: list[str] = []
    number = 0
    while number < len(lines):
        line = lines[number]
        heading = _heading(lines, number)
        kept = None if heading else _without_marks(line)
        if kept is not None and kept.strip():
            paragraph.append(kept)
        else:
            yield from _paragraph(paragraph)
            paragraph = []
        if heading is not None:
            mark, words, number = heading
            marks += [] if mark in marks else [mark]
            yield Block(_inline(words), min(9, marks.index(mark) + 1))
            continue
        number += 1
        if _is_silent(line):
            number = _after_options(lines, number)
        elif line.rstrip().endswith("::") and (not _DIRECTIVE.match(line) or _CODE.match(line)):
            yield from _paragraph(paragraph)
            paragraph = []
            literal, number = _literal(lines, number)
            yield Block(literal)
    yield from _paragraph(paragraph)


def _literal(lines: list[str], number: int) -> tuple[str, int]:
    """Return the indented block that starts at ``number``, and the line after it."""
    first = number
    while number < len(lines) and (not lines[number].strip() or lines[number][0].isspace()):
        number += 1
    kept = [line for line in lines[first:number] if not _OPTION.match(line)]
    return textwrap.dedent("\n".join(kept)).strip("\n"), number


def _heading(lines: list[str], number: int) -> tuple[str, str, int] | None:
    """Return the mark, the words and the line after a heading that starts at ``number``."""
    line = lines[number]
    following = lines[number + 1] if number + 1 < len(lines) else ""
    under = lines[number + 2] if number + 2 < len(lines) else ""
    if _LINE_OF_MARKS.match(line) and following.strip() and under.strip() == line.strip():
        return line[0] * 2, following.strip(), number + 3
    is_title = line.strip() and not line[0].isspace() and not _LINE_OF_MARKS.match(line)
    # A Chinese title is underlined by its columns, or by its characters.
    if is_title and _LINE_OF_MARKS.match(following) and len(following.strip()) >= len(line.strip()):
        return following[0], line.strip(), number + 2
    return None


def _without_marks(line: str) -> str | None:
    """Return what is read of a line; None for a line that is a mark only."""
    if _TARGET.match(line) or _LINE_OF_MARKS.match(line):
        return None
    if line.strip() == "::":
        return None
    directive = _DIRECTIVE.match(line)
    if directive:
        return None if _is_silent(line) or not directive["words"] else directive["words"]
    return None if _COMMENT.match(line) else line


def _is_silent(line: str) -> bool:
    return any(f".. {name}::" in line for name in _SILENT_DIRECTIVES)


def _after_options(lines: list[str], number: int) -> int:
    while number < len(lines) and _OPTION.match(lines[number]):
        number += 1
    return number


def _paragraph(lines: list[str]) -> Iterator[Block]:
    current: list[str] = []
    tight = False
    for line in lines:
        if current and _STARTS_ITEM.match(line):
            yield Block(_inline(join_lines(current)), tight=tight)
            current, tight = [], True
        current.append(line)
    if current:
        yield Block(_inline(join_lines(current)), tight=tight)


def _inline(text: str) -> str:
    for pattern, replacement in _INLINE:
        text = pattern.sub(replacement, text)
    return text
