"""A source's bytes to a `Document`: the one door to the formats."""

from __future__ import annotations

import importlib
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from secondpass.errors import InputError
from secondpass.load.blocks import Assembled, Parsed, assemble
from secondpass.load.encodings import decode
from secondpass.load.reading import Payload
from secondpass.load.sources import MEDIA_TYPES, Source, is_url
from secondpass.types import Document, Heading, Json

# Formats of text are decoded here; a parser is imported when the first file of its kind comes.
_TEXT_PARSERS = {
    "text/markdown": "secondpass.load.markdown:parse_markdown",
    "text/plain": "secondpass.load.plain:parse_plain",
    "text/x-rst": "secondpass.load.rst:parse_rst",
    "text/html": "secondpass.load.html:parse_html",
}
_BINARY_PARSERS = {
    "application/pdf": "secondpass.load.pdf:parse_pdf",
    MEDIA_TYPES[".docx"]: "secondpass.load.docx:parse_docx",
}


def parse(source: Source, payload: Payload) -> Document:
    """Turn the bytes of a source into a document with cleaned text.

    Raises:
        InputError: the bytes are not what the kind says, are damaged or locked, or hold no text.
    """
    media_type = payload.media_type or ""
    place = _TEXT_PARSERS.get(media_type) or _BINARY_PARSERS.get(media_type)
    if place is None:
        raise InputError(f"{source.location} is of the kind {media_type or 'unknown'!r}, which is not read.")
    if not payload.data:
        raise InputError(f"{source.location} holds no text: it is empty.")
    metadata: dict[str, Json] = {"media_type": media_type}
    if media_type in _TEXT_PARSERS:
        parsed = _parse_text(source, payload, _function(place), metadata)
    else:
        metadata["encoding"] = "binary"
        parsed = _function(place)(payload.data, source.location)
    assembled = assemble(parsed.blocks, paged=parsed.paged)
    if not assembled.text:
        raise InputError(f"{source.location} holds no text that a reader would see; leave it out.")
    metadata |= dict(parsed.remarks)
    if payload.location and payload.location != source.location:
        metadata["fetched_from"] = payload.location
    headings = assembled.headings or _from_outline(parsed, assembled)
    return Document(
        source.doc_id,
        assembled.text,
        source.location,
        _title(parsed, headings, source),
        headings,
        assembled.pages,
        metadata,
    )


def _function(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)


def _parse_text(source: Source, payload: Payload, parser: Any, metadata: dict[str, Json]) -> Parsed:
    declared = payload.charset
    if declared is None and payload.media_type == "text/html":
        declared = importlib.import_module("secondpass.load.html").declared_charset(payload.data)
    decoded = decode(payload.data, source.location, declared)
    metadata["encoding"] = decoded.encoding
    if decoded.replaced:
        metadata["replaced_characters"] = decoded.replaced
    parsed: Parsed = parser(decoded.text)
    return parsed


def _from_outline(parsed: Parsed, assembled: Assembled) -> tuple[Heading, ...]:
    """Find the words of bookmarks on their pages."""
    text, pages = assembled.text, assembled.pages
    found: list[Heading] = []
    start = 0
    for page, level, title in parsed.outline:
        if page >= len(pages) or not title:
            continue
        end = pages[page + 1] if page + 1 < len(pages) else len(text)
        place = text.find(title, max(start, pages[page]), end)
        if place >= 0:
            found.append(Heading(place, level, title))
            start = place + len(title)
    return tuple(found)


def _title(parsed: Parsed, headings: tuple[Heading, ...], source: Source) -> str:
    """Return what the document calls itself, else its first top heading, else the name of its file."""
    if parsed.title:
        return parsed.title
    if headings:
        top = min(heading.level for heading in headings)
        first = next(heading for heading in headings if heading.level == top)
        return first.title
    if not is_url(source.location):
        return PurePosixPath(source.location.replace("\\", "/")).stem
    parts = urlsplit(source.location)
    return PurePosixPath(unquote(parts.path)).stem or parts.netloc
