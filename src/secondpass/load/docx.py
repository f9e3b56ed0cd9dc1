"""DOCX to blocks: paragraphs, headings, lists and tables in reading order.

python-docx opens the package and knows its styles; the text is read from the XML itself, because python-docx leaves
out what stands in content controls, tracked insertions and text boxes.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from typing import Any

import docx
from docx.oxml.ns import qn

from secondpass.errors import InputError
from secondpass.load.blocks import Block, Parsed
from secondpass.load.parser_errors import PARSER_ERRORS

_MOST_UNPACKED_BYTES = 200 * 2**20
_MOST_PARTS = 10_000
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_HEADING = re.compile(r"(?:heading|标题|標題|überschrift|titre)\s*(?P<level>[1-9])", re.IGNORECASE)
_TITLE_STYLES = frozenset({"title", "标题", "標題"})
_LEFT_OUT = frozenset(map(qn, ("w:del", "w:moveFrom", "w:instrText", "w:pPr", "w:rPr", "w:fldChar"))) | {
    "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"  # says the same again for old programs
}
_PARAGRAPH, _TABLE, _ROW, _CELL = map(qn, ("w:p", "w:tbl", "w:tr", "w:tc"))
_TEXT, _TAB, _BREAK, _RETURN, _HYPHEN = map(qn, ("w:t", "w:tab", "w:br", "w:cr", "w:noBreakHyphen"))
_SIDE_PART = re.compile(r"/(?:footnotes|endnotes|comments|header\d*|footer\d*)\.xml$")
_BODY_LEVEL = 9  # the outline level of text that is no heading


def parse_docx(data: bytes, location: str) -> Parsed:
    """Take a Word document apart.

    Raises:
        InputError: it is no DOCX, is damaged, needs a password, or unpacks to far more than a document.
    """
    _check_package(data, location)
    try:
        document = docx.Document(io.BytesIO(data))
        styles = _Styles(document)
        blocks = tuple(_blocks(document.element.body, styles))
    except PARSER_ERRORS as error:
        raise InputError(f"{location} is a damaged Word document; open it in Word and save it again.") from error
    try:
        title = " ".join((document.core_properties.title or "").split())
        unread = sum(_is_unread(part) for part in document.part.package.iter_parts())
    except PARSER_ERRORS:
        title, unread = "", 0
    remarks = (("parts_not_read", unread),) if unread else ()
    return Parsed(blocks, "" if title == "Word Document" else title, remarks)


def _is_unread(part: Any) -> bool:
    """Tell whether a part beside the main text holds text."""
    return bool(_SIDE_PART.search(str(part.partname))) and bool(re.search(rb"<w:t[ >]", part.blob))


def _check_package(data: bytes, location: str) -> None:
    if data.startswith(_OLE):
        raise InputError(
            f"{location} is an old Word file or is password-protected; save it as .docx without a password."
        )
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as package:
            parts = package.infolist()
    except PARSER_ERRORS as error:
        raise InputError(f"{location} is not a Word document or is damaged ({error}); save it again.") from error
    unpacked = sum(part.file_size for part in parts)
    if unpacked > _MOST_UNPACKED_BYTES or len(parts) > _MOST_PARTS:
        raise InputError(
            f"{location} unpacks to {unpacked / 2**20:.0f} MB in {len(parts)} parts, more than a document has "
            f"({_MOST_UNPACKED_BYTES // 2**20} MB, {_MOST_PARTS} parts); it was not opened."
        )
    if not any(part.filename in ("word/document.xml", "[Content_Types].xml") for part in parts):
        raise InputError(f"{location} is a zip file, but not a Word document; unpack it and index what is inside.")


class _Styles:
    """Which paragraph styles are headings, and of which level."""

    def __init__(self, document: Any) -> None:
        self._levels: dict[str, int] = {}
        self._lists: set[str] = set()
        for style in document.styles:
            chain = _chain(style)
            level = next((level for link in chain if (level := _style_level(link))), 0)
            self._levels[style.style_id] = level
            if any(link.element.find(f"{qn('w:pPr')}/{qn('w:numPr')}") is not None for link in chain):
                self._lists.add(style.style_id)

    def level(self, paragraph: Any) -> int:
        """Return the heading level of a paragraph; 0 for text."""
        outline = paragraph.find(f"{qn('w:pPr')}/{qn('w:outlineLvl')}")
        if outline is not None:
            return _outline_level(outline)
        return self._levels.get(_style_id(paragraph), 0)

    def is_item(self, paragraph: Any) -> bool:
        """Tell whether a paragraph is an item of a list."""
        numbering = paragraph.find(f"{qn('w:pPr')}/{qn('w:numPr')}")
        if numbering is not None:
            number = numbering.find(qn("w:numId"))
            return number is None or number.get(qn("w:val")) != "0"
        return _style_id(paragraph) in self._lists


def _chain(style: Any) -> list[Any]:
    """Return a style and the styles it is based on; broken files base them in a circle."""
    chain: list[Any] = []
    while style is not None and len(chain) < 20:
        chain.append(style)
        style = getattr(style, "base_style", None)
    return chain


def _style_level(style: Any) -> int:
    name = (style.name or "").strip()
    match = _HEADING.fullmatch(name)
    if match:
        return int(match["level"])
    if name.lower() in _TITLE_STYLES:
        return 1
    outline = style.element.find(f"{qn('w:pPr')}/{qn('w:outlineLvl')}")
    return 0 if outline is None else _outline_level(outline)


def _outline_level(outline: Any) -> int:
    value = int(outline.get(qn("w:val"), _BODY_LEVEL))
    return value + 1 if 0 <= value < _BODY_LEVEL else 0


def _style_id(paragraph: Any) -> str:
    style = paragraph.find(f"{qn('w:pPr')}/{qn('w:pStyle')}")
    return "" if style is None else str(style.get(qn("w:val"), ""))


def _blocks(parent: Any, styles: _Styles) -> Iterator[Block]:
    in_list = False
    for element in _paragraphs_and_tables(parent):
        if element.tag == _TABLE:
            for number, row in enumerate(_rows(element)):
                yield Block(row, tight=number > 0)
            in_list = False
            continue
        words = _words(element).strip()
        if words:
            level = styles.level(element)
            item = not level and styles.is_item(element)
            yield Block(f"- {words}" if item else words, level, tight=item and in_list)
            in_list = item
        for box in _boxes(element):
            yield from _blocks(box, styles)


def _paragraphs_and_tables(parent: Any) -> Iterator[Any]:
    """Yield paragraphs and tables in order, looking into content controls and tracked insertions."""
    for child in parent.iterchildren():
        if child.tag in (_PARAGRAPH, _TABLE):
            yield child
        elif isinstance(child.tag, str) and child.tag not in _LEFT_OUT:
            yield from _paragraphs_and_tables(child)


def _rows(table: Any) -> Iterator[str]:
    for row in table.iter(_ROW):
        cells = [cell for cell in row.iter(_CELL) if next(cell.iterancestors(_ROW)) is row]
        words = [" ".join(_words(paragraph) for paragraph in cell.iterchildren(_PARAGRAPH)) for cell in cells]
        if any(word.strip() for word in words):
            yield " | ".join(" ".join(word.split()) for word in words)


def _boxes(paragraph: Any) -> Iterator[Any]:
    for box in paragraph.iter(qn("w:txbxContent")):
        ancestors = {ancestor.tag for ancestor in box.iterancestors()}
        if not ancestors & _LEFT_OUT and next(box.iterancestors(_PARAGRAPH)) is paragraph:
            yield box


def _words(paragraph: Any) -> str:
    """Return the text of a paragraph as it stands after tracked changes, without its text boxes."""
    pieces: list[str] = []
    left_out = _LEFT_OUT | {qn("w:txbxContent")}
    waiting = [paragraph]
    while waiting:
        element = waiting.pop()
        tag = element.tag
        if tag == _TEXT:
            pieces += element.xpath("text()")
        elif tag == _TAB:
            pieces.append("\t")
        elif tag in (_BREAK, _RETURN):
            pieces.append("\n" if element.get(qn("w:type")) != "page" else "")
        elif tag == _HYPHEN:
            pieces.append("-")
        elif isinstance(tag, str) and tag not in left_out:
            waiting += reversed(list(element.iterchildren()))
    return "".join(pieces)
