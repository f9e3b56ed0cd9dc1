"""What parsers of other people raise on broken or hostile files, instead of one error of their own."""

from __future__ import annotations

import struct
import zipfile
import zlib

from lxml import etree  # type: ignore[import-untyped]

LXML_ERROR: type[Exception] = etree.LxmlError
PARSER_ERRORS: tuple[type[Exception], ...] = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    NotImplementedError,
    OSError,
    RecursionError,
    RuntimeError,
    TypeError,
    ValueError,
    LXML_ERROR,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)
"""Each was seen, or is raised by code that a broken file reaches; a file that breaks a parser is the file's fault."""
