"""Say what of a document was not read, though the document was."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from secondpass.types import Document

# What a parser writes into the metadata -> what it means to a person.
_COUNTED = {
    "replaced_characters": "{} characters could not be decoded and were replaced",
    "damaged_pages": "{} damaged pages were left out",
    "pages_without_text": "{} pages hold no text, perhaps images of it: run OCR over them",
    "includes_not_followed": "{} included files were not followed",
    "parts_not_read": "{} parts with text were left out: footnotes, comments, headers or footers",
}
_EXTRACTIONS = {
    "whole page": "no main text was found, the whole page was taken",
    "tags stripped": "the page could not be parsed, its tags were stripped",
}


@dataclass(frozen=True, slots=True)
class Loss:
    """Something of the document at ``location`` that was not read as it should be."""

    location: str
    what: str


def losses_of(document: Document) -> Iterator[Loss]:
    """Yield what was lost of a document while it was read."""
    for name, sentence in _COUNTED.items():
        if count := document.metadata.get(name):
            yield Loss(document.source, sentence.format(count))
    if document.metadata.get("cut_off"):
        yield Loss(document.source, "the end of the file is missing, what is there was read")
    if fallback := _EXTRACTIONS.get(str(document.metadata.get("extraction"))):
        yield Loss(document.source, fallback)
