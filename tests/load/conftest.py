"""Files of every kind, made here byte by byte."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from docx import Document as WordDocument

from secondpass.load.options import WebOptions
from secondpass.load.parse import parse
from secondpass.load.reading import Payload, read
from secondpass.load.sources import MEDIA_TYPES, Source
from secondpass.types import Document

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"


@pytest.fixture
def shared() -> Path:
    if not (SHARED / "docs_demo").is_dir():
        pytest.skip("the shared data folder is not there")
    return SHARED


@pytest.fixture(scope="session")
def parse_bytes() -> Callable[..., Document]:
    """Parse bytes as a file of a given name would be."""

    def parse_named(data: bytes, name: str, charset: str | None = None) -> Document:
        source = Source(f"/somewhere/{name}", name, len(data), 0)
        return parse(source, Payload(data, MEDIA_TYPES[Path(name).suffix], charset, source.location))

    return parse_named


@pytest.fixture(scope="session")
def parse_path() -> Callable[[Path], Document]:
    def parse_file(path: Path) -> Document:
        source = Source(str(path), path.name, path.stat().st_size, 0)
        return parse(source, read(source, WebOptions()))

    return parse_file


def _pdf_object(number: int, body: bytes) -> bytes:
    return b"%d 0 obj\n%s\nendobj\n" % (number, body)


def _stream(data: bytes) -> bytes:
    return b"<< /Length %d >>\nstream\n%s\nendstream" % (len(data), data)


def _to_unicode(pages: Sequence[Sequence[str]]) -> bytes:
    used = sorted({character.encode("utf-16-be").hex() for lines in pages for line in lines for character in line})
    groups = [used[start : start + 100] for start in range(0, len(used), 100)]
    maps = "".join(
        f"{len(group)} beginbfchar " + " ".join(f"<{code}> <{code}>" for code in group) + " endbfchar\n"
        for group in groups
    )
    return (
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /Used def /CMapType 2 def\n"
        f"1 begincodespacerange <0000> <FFFF> endcodespacerange\n{maps}endcmap end end"
    ).encode()


@pytest.fixture(scope="session")
def make_pdf() -> Callable[..., bytes]:
    """Write a PDF: one list of lines a page; an empty line leaves room. Any character of the BMP can be written."""

    def make(pages: Sequence[Sequence[str]], title: str = "") -> bytes:
        bodies = {
            1: b"<< /Type /Catalog /Pages 2 0 R >>",
            3: b"<< /Type /Font /Subtype /Type0 /BaseFont /Plain /Encoding /Identity-H /DescendantFonts [4 0 R]"
            b" /ToUnicode 5 0 R >>",
            4: b"<< /Type /Font /Subtype /CIDFontType2 /BaseFont /Plain /DW 1000"
            b" /CIDSystemInfo << /Registry (Adobe) /Ordering (Identity) /Supplement 0 >> >>",
            5: _stream(_to_unicode(pages)),
            6: b"<< /Title <%s> >>" % ("\ufeff" + title).encode("utf-16-be").hex().encode(),
        }
        kids = []
        for index, lines in enumerate(pages):
            page, content = 7 + 2 * index, 8 + 2 * index
            kids.append(b"%d 0 R" % page)
            shown = b" T* ".join(
                b"<%s> Tj" % line.encode("utf-16-be").hex().encode() if line else b"" for line in lines
            )
            bodies[content] = _stream(b"BT /F1 10 Tf 14 TL 40 780 Td " + shown + b" ET" if lines else b"")
            bodies[page] = (
                b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents %d 0 R"
                b" /Resources << /Font << /F1 3 0 R >> >> >>" % content
            )
        bodies[2] = b"<< /Type /Pages /Count %d /Kids [%s] >>" % (len(pages), b" ".join(kids))
        out = bytearray(b"%PDF-1.7\n")
        places = {}
        for number in sorted(bodies):
            places[number] = len(out)
            out += _pdf_object(number, bodies[number])
        table = b"".join(b"%010d 00000 n \n" % places[number] for number in sorted(bodies))
        start = len(out)
        out += b"xref\n0 %d\n0000000000 65535 f \n%s" % (len(bodies) + 1, table)
        out += b"trailer << /Size %d /Root 1 0 R /Info 6 0 R >>\nstartxref\n%d\n%%%%EOF" % (len(bodies) + 1, start)
        return bytes(out)

    return make


@pytest.fixture(scope="session")
def word_bytes() -> Callable[[WordDocument], bytes]:
    def save(document: WordDocument) -> bytes:
        buffer = io.BytesIO()
        document.save(buffer)
        return buffer.getvalue()

    return save
