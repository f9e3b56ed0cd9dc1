"""PDF to blocks: pages, paragraphs put together from lines, without running headers and page numbers."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from typing import Any

from pypdf import PasswordType, PdfReader
from pypdf.errors import PyPdfError
from pypdf.generic import Destination

from secondpass.errors import InputError
from secondpass.load.blocks import Parsed
from secondpass.load.parser_errors import PARSER_ERRORS
from secondpass.load.pdf_lines import drop_running_lines, join_pages, page_lines
from secondpass.types import Json

logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # what matters of its warnings is counted here

_ERRORS: tuple[type[Exception], ...] = (PyPdfError, *PARSER_ERRORS)
# Makes pypdf look for the objects themselves; the size bounds its search for the catalogue.
_MADE_UP_END = b"\ntrailer << /Size %d >>\nstartxref\n0\n%%%%EOF\n"
_DEEPEST_OUTLINE = 9


def parse_pdf(data: bytes, location: str) -> Parsed:
    """Take a PDF apart.

    Raises:
        InputError: it needs a password, is damaged beyond reading, or has no text layer.
    """
    reader, cut_off = _open(data, location)
    texts, damaged = _texts(reader)
    if texts and damaged == len(texts):
        raise InputError(f"{location} is damaged: none of its {damaged} pages can be read; get the file again.")
    if not any(text.strip() for text in texts):
        raise InputError(
            f"{location} has {len(texts)} pages but no text layer (a scan?); run OCR over it, for example ocrmypdf."
        )
    pages, dropped = drop_running_lines([page_lines(text) for text in texts])
    remarks: list[tuple[str, Json]] = [("pages", len(texts))]
    empty = sum(not text.strip() for text in texts) - damaged
    remarks += [("cut_off", True)] if cut_off else []
    counts = {"damaged_pages": damaged, "pages_without_text": empty, "running_lines_dropped": dropped}
    remarks += [(name, count) for name, count in counts.items() if count]
    return Parsed(join_pages(pages), _title(reader), tuple(remarks), paged=True, outline=tuple(_outline(reader)))


def _open(data: bytes, location: str) -> tuple[PdfReader, bool]:
    """Open a file; the second value says that its end is missing and was made up to read the pages before it."""
    if b"%PDF" not in data[:1024]:
        raise InputError(f"{location} is not a PDF file, although it is called one; check what it is.")
    try:
        reader, cut_off = _reader(data)
        locked = reader.is_encrypted and reader.decrypt("") == PasswordType.NOT_DECRYPTED
    except _ERRORS as error:
        raise InputError(
            f"{location} is damaged or cut off ({error or type(error).__name__}); get it again."
        ) from error
    if locked:
        raise InputError(f"{location} is password-protected; save a copy without a password.")
    return reader, cut_off


def _reader(data: bytes) -> tuple[PdfReader, bool]:
    try:
        return PdfReader(io.BytesIO(data), strict=False), False
    except _ERRORS:
        reader = PdfReader(io.BytesIO(data + _MADE_UP_END % (data.count(b" obj") + 1)), strict=False)
        if not reader.is_encrypted and not len(reader.pages):
            raise
        return reader, True


def _texts(reader: PdfReader) -> tuple[list[str], int]:
    """Return the text of every page, and how many could not be read (their text is empty)."""
    texts: list[str] = []
    damaged = 0
    try:
        count = len(reader.pages)
    except _ERRORS:
        return [""], 1
    for number in range(count):
        try:
            texts.append(reader.pages[number].extract_text())
        except _ERRORS:
            texts.append("")
            damaged += 1
    return texts, damaged


def _title(reader: PdfReader) -> str:
    try:
        title = reader.metadata.title if reader.metadata else None
    except _ERRORS:
        return ""
    words = " ".join(str(title or "").split())
    # Word processors leave file names there.
    is_file_name = words.lower().endswith((".doc", ".docx", ".pdf", ".tex", ".indd")) or words.startswith("Microsoft ")
    return "" if is_file_name or words.lower() in ("untitled", "无标题") else words


def _outline(reader: PdfReader) -> list[tuple[int, int, str]]:
    """Return page (from 0), level and title of the bookmarks."""
    try:
        return list(_bookmarks(reader, reader.outline, 1))
    except _ERRORS:
        return []


def _bookmarks(reader: PdfReader, items: list[Any], level: int) -> Iterator[tuple[int, int, str]]:
    for item in items:
        if isinstance(item, list):
            if level < _DEEPEST_OUTLINE:
                yield from _bookmarks(reader, item, level + 1)
        elif isinstance(item, Destination):
            page = reader.get_destination_page_number(item)
            if page is not None and page >= 0:
                yield page, level, " ".join(str(item.title or "").split())
