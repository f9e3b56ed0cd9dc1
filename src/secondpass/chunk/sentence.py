"""Cut documents into chunks of whole sentences that stay inside a section where they can.

Sections come from the document's headings. Small neighbouring sections share a chunk; a long one is cut into pieces of
about equal length, so that none is left with a line or two.
"""

from __future__ import annotations

import hashlib
import math
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from secondpass.errors import InputError
from secondpass.text.language import estimate_tokens
from secondpass.text.sentences import sentences
from secondpass.types import Chunk, Document, Heading, Span

_CLAUSE_END = re.compile(r"[，；：、,;:)）\]】\s](?=\S)")


@dataclass(frozen=True, slots=True)
class _Piece:
    """A sentence, or a part of one that is too long: its place and its estimated tokens."""

    start: int
    end: int
    tokens: int


class SentenceChunker:
    """Pack sentences into chunks of at most ``max_tokens`` (estimated); neighbours share ``overlap_sentences``.

    A chunk ends where a sentence ends; only a sentence longer than a chunk is cut, after a comma or a blank if it has
    one.
    """

    name = "sentence-1"

    def __init__(self, max_tokens: int = 256, overlap_sentences: int = 0) -> None:
        if max_tokens < 16:
            raise InputError(f"The chunk size is {max_tokens} tokens; it must be 16 or more.")
        if overlap_sentences < 0:
            raise InputError(f"The overlap is {overlap_sentences} sentences; it must be 0 or more.")
        self.max_tokens = max_tokens
        self.overlap_sentences = overlap_sentences

    @property
    def parameters(self) -> dict[str, int]:
        """What decides where the cuts fall."""
        return {"max_tokens": self.max_tokens, "overlap_sentences": self.overlap_sentences}

    def chunk(self, document: Document) -> list[Chunk]:
        """Return the chunks of ``document`` in reading order; each is a slice of its text."""
        outline = _Outline(document.headings)
        return [
            _make_chunk(document, outline, pieces[0].start, pieces[-1].end)
            for section in self._merge(_sections(document, self.max_tokens))
            for pieces in self._split(section)
        ]

    def _merge(self, sections: Iterator[list[_Piece]]) -> Iterator[list[_Piece]]:
        """Join a small section with the next one as long as both fit."""
        kept: list[_Piece] = []
        for section in sections:
            size, added = _size(kept), _size(section)
            if kept and (size >= self.max_tokens // 4 or size + added > self.max_tokens):
                yield kept
                kept = []
            kept = kept + section
        if kept:
            yield kept

    def _split(self, pieces: Sequence[_Piece]) -> Iterator[Sequence[_Piece]]:
        """Cut a section into chunks of about equal length."""
        target = _size(pieces) / math.ceil(_size(pieces) / self.max_tokens)
        first, size = 0, 0
        for index, piece in enumerate(pieces):
            overshoot = size + piece.tokens / 2 > target or size + piece.tokens > self.max_tokens
            if index > first and overshoot:
                yield pieces[first:index]
                first = self._back(pieces, first, index)
                size = _size(pieces[first:index])
            size += piece.tokens
        yield pieces[first:]

    def _back(self, pieces: Sequence[_Piece], first: int, index: int) -> int:
        """Return where the next chunk starts: ``overlap_sentences`` earlier, if those leave room for something new."""
        start = max(index - self.overlap_sentences, first + 1)
        while start < index and _size(pieces[start : index + 1]) > self.max_tokens:
            start += 1
        return start


def _size(pieces: Sequence[_Piece]) -> int:
    return sum(piece.tokens for piece in pieces)


def _sections(document: Document, max_tokens: int) -> Iterator[list[_Piece]]:
    """Yield the sentences under each heading, the heading's own line first."""
    starts = [heading.start for heading in document.headings] + [len(document.text) + 1]
    section: list[_Piece] = []
    upcoming = 0
    for sentence in sentences(document.text):
        if sentence.start >= starts[upcoming]:
            if section:
                yield section
            section = []
            while sentence.start >= starts[upcoming]:
                upcoming += 1
        section += _pieces(document.text, sentence, max_tokens)
    if section:
        yield section


def _pieces(text: str, sentence: Span, max_tokens: int) -> list[_Piece]:
    """Return the sentence as one piece, or cut after clauses where it is longer than a chunk."""
    tokens = estimate_tokens(text[sentence.start : sentence.end])
    if tokens <= max_tokens:
        return [_Piece(sentence.start, sentence.end, tokens)]
    pieces: list[_Piece] = []
    start = sentence.start
    while start < sentence.end:
        end = _longest_fit(text, start, sentence.end, max_tokens)
        pieces.append(_Piece(start, end, estimate_tokens(text[start:end])))
        start = end
        while start < sentence.end and text[start].isspace():
            start += 1
    return pieces


def _longest_fit(text: str, start: int, end: int, max_tokens: int) -> int:
    """Return the farthest cut that keeps ``text[start:cut]`` within ``max_tokens``, after a clause if there is one."""
    window = text[start : min(end, start + 4 * max_tokens)]
    reach = start + bisect_left(range(len(window)), max_tokens, key=lambda size: estimate_tokens(window[:size]))
    if reach >= end:
        return end
    cuts = [match.end() for match in _CLAUSE_END.finditer(text, start, reach)]
    cut = cuts[-1] if cuts and cuts[-1] - start > (reach - start) // 2 else reach
    return max(cut, start + 1)


class _Outline:
    """The headings of a document, ready to be asked which of them hold for a stretch of text."""

    def __init__(self, headings: Sequence[Heading]) -> None:
        self.headings = headings
        self.starts = [heading.start for heading in headings]
        self.parents: list[int] = []
        open_headings: list[int] = []
        for index, heading in enumerate(headings):
            while open_headings and headings[open_headings[-1]].level >= heading.level:
                open_headings.pop()
            self.parents.append(open_headings[-1] if open_headings else -1)
            open_headings.append(index)

    def path(self, start: int, end: int) -> tuple[str, ...]:
        """Return the headings that hold for all of ``[start, end)``, outermost first."""
        index = bisect_right(self.starts, start) - 1
        inside = self.headings[index + 1 : bisect_left(self.starts, end)]
        deepest = min((heading.level for heading in inside), default=None)
        path: list[str] = []
        while index >= 0:
            heading = self.headings[index]
            if deepest is None or heading.level < deepest:
                path.append(heading.title)
            index = self.parents[index]
        return tuple(reversed(path))


def _make_chunk(document: Document, outline: _Outline, start: int, end: int) -> Chunk:
    text = document.text[start:end]
    identity = f"{document.id}\0{start}\0{end}\0{text}".encode("utf-8", "surrogatepass")
    return Chunk(
        id=hashlib.blake2b(identity, digest_size=16).hexdigest(),
        text=text,
        doc_id=document.id,
        start=start,
        end=end,
        heading_path=outline.path(start, end),
        page=max(1, bisect_right(document.pages, start)) if document.pages else None,
        source=document.source,
        title=document.title,
    )
