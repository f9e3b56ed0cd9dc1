"""Clean characters and join wrapped lines; knows nothing of files or formats."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

LINE_BREAK = "\u2028"
"""Stands for a break the author meant, while line feeds still stand for wrapping."""

# Control characters (tab, line feed and form feed apart), joiners and marks without width, noncharacters, surrogates.
_UNREADABLE = re.compile(
    "[\x00-\x08\x0b\x0e-\x1f\x7f-\x84\x86-\x9f\xad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\ufeff\ufdd0-\ufdef"
    "\ufffe\uffff\ud800-\udfff]"
)
_NEWLINE = re.compile("\r\n|[\r\x85]")
# Looking back keeps it linear: a run of blanks inside a line is tried once, not from each of its blanks.
_BLANKS_AT_END = re.compile(r"(?<![^\S\n\f])[^\S\n\f]+(?=\n|\Z)")
_WIDE = re.compile("[\u2e80-\u303f\u3041-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\ufe30-\ufe4f"
                   "\uff01-\uff65\uffe0-\uffe6\U00020000-\U000323af]")  # fmt: skip
_WIDE_MARKS = frozenset("，。、；：？！“”‘’（）《》〈〉「」『』【】…—～·")
_FIELD = re.compile(r"[^\s：:]{1,12}：")


def clean_characters(text: str) -> str:
    r"""Return ``text`` with plain newlines, without unreadable characters and without blanks at line ends.

    >>> clean_characters("西安\x00交大 \r\n完")
    '西安交大\n完'
    """
    text = _UNREADABLE.sub("", _NEWLINE.sub("\n", text)).replace(LINE_BREAK, "\n").replace("\u2029", "\n\n")
    return strip_line_ends(text.replace("\xa0", " "))


def strip_line_ends(text: str) -> str:
    r"""Return ``text`` without blanks before newlines and at its end.

    >>> strip_line_ends("a  \n b ")
    'a\n b'
    """
    return _BLANKS_AT_END.sub("", text)


def is_wide(character: str) -> bool:
    """Tell whether a character belongs to writing that puts no blanks between words.

    >>> is_wide("漢"), is_wide("，"), is_wide("a")
    (True, True, False)
    """
    return bool(_WIDE.match(character))


def columns(text: str) -> int:
    """Count the columns a text takes on a screen: 2 for a wide character.

    >>> columns("西安 city")
    9
    """
    if text.isascii():
        return len(text)
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def glue(before: str, after: str) -> str:
    r"""Return what stands between two lines of one paragraph when they become one line.

    Nothing between Chinese and Chinese or beside a Chinese mark, a blank elsewhere. Lines that are fields
    (``姓名：张三``) stay lines.

    >>> glue("西安", "交大"), glue("a wrapped", "line"), glue("使用 FastAPI", "框架"), glue("姓名：张三", "年龄：30")
    ('', ' ', ' ', '\n')
    """
    if not before or not after:
        return ""
    if _FIELD.match(before) and _FIELD.match(after):
        return "\n"
    last, first = before[-1], after[0]
    if (last in _WIDE_MARKS and is_wide(last)) or (first in _WIDE_MARKS and is_wide(first)):
        return ""
    wide_last, wide_first = is_wide(last), is_wide(first)
    both = (wide_last or last in _WIDE_MARKS) and (wide_first or first in _WIDE_MARKS)
    return "" if both and (wide_last or wide_first) else " "


def join_lines(lines: Sequence[str]) -> str:
    """Join the lines of one paragraph.

    >>> join_lines(["检索增强", "生成 is a", "technique."])
    '检索增强生成 is a technique.'
    """
    if len(lines) == 1:
        return lines[0].strip()
    joined: list[str] = []
    before = ""
    for line in map(str.strip, lines):
        if line:
            joined += (glue(before, line), line)
            before = line
    return "".join(joined)


def collapse(text: str) -> str:
    """Join wrapped lines and collapse blanks, keeping the breaks marked with `LINE_BREAK`."""
    paragraphs = (join_lines(piece.split("\n")) for piece in text.split(LINE_BREAK))
    return "\n".join(re.sub(r"[^\S\n]+", " ", paragraph) for paragraph in paragraphs).strip("\n")
