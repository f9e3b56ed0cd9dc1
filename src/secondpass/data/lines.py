"""Read and write files of lines: plain, gzipped, or the standard streams; writing is all or nothing."""

from __future__ import annotations

import gzip
import io
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

from secondpass.errors import InputError

STREAM = "-"
MAXIMUM_LINE_CHARACTERS = 100 * 2**20


def read_lines(path: str) -> Iterator[tuple[int, str]]:
    """Yield ``(line number, line)`` of a UTF-8 file, gzipped if its name ends in .gz; ``-`` is the standard input.

    Blank lines are left out.

    Raises:
        InputError: the file is missing, unreadable, not UTF-8, or a line is longer than 100 million characters.
    """
    return ((number, line) for number, line in read_all_lines(path) if line.strip())


def read_all_lines(path: str) -> Iterator[tuple[int, str]]:
    """Yield what `read_lines` yields, and the blank lines too."""
    shown = "standard input" if path == STREAM else path
    number = 0
    try:
        with _open_bytes(path) as raw, io.TextIOWrapper(raw, encoding="utf-8-sig", newline="\n") as stream:
            while line := stream.readline(MAXIMUM_LINE_CHARACTERS):
                number += 1
                if len(line) == MAXIMUM_LINE_CHARACTERS and not line.endswith("\n"):
                    raise InputError(
                        f"{shown}:{number}: the line is longer than {MAXIMUM_LINE_CHARACTERS:,} characters."
                    )
                yield number, line
    except UnicodeDecodeError as error:
        raise InputError(
            f"{shown}:{number + 1}: the file is not UTF-8 ({error.reason} near this line); save it as UTF-8."
        ) from error
    except (OSError, EOFError) as error:
        raise InputError(f"{shown} cannot be read: {getattr(error, 'strerror', None) or error}.") from error


def count_lines(path: str) -> int | None:
    """Count the lines of a file, blank ones included; None where that takes reading it twice or it cannot be read."""
    if path == STREAM or path.endswith(".gz") or not Path(path).is_file():
        return None
    try:
        with open(path, "rb") as file:
            return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))
    except OSError:
        return None


def _open_bytes(path: str) -> BinaryIO:
    if path == STREAM:
        return open(sys.stdin.fileno(), "rb", closefd=False)
    if path.endswith(".gz"):
        return cast(BinaryIO, gzip.open(path, "rb"))
    return open(path, "rb")


def parse_object(line: str, place: str) -> dict[str, Any]:
    """Return the JSON object of a line.

    Raises:
        InputError: the line is no JSON, or another thing than an object; ``place`` names the line.
    """
    try:
        value = json.loads(line)
    except (json.JSONDecodeError, RecursionError) as error:
        reason = (
            f"{error.msg} at column {error.colno}" if isinstance(error, json.JSONDecodeError) else "nested too deep"
        )
        raise InputError(f"{place}: this is no JSON ({reason}); each line must be one JSON object.") from error
    if not isinstance(value, dict):
        raise InputError(f"{place}: this is a JSON {type(value).__name__}; each line must be one JSON object.")
    return value


@contextmanager
def write_whole(path: str) -> Iterator[IO[str]]:
    """Open ``path`` for writing UTF-8, ``-`` for the standard output.

    A file takes its name only when all of it is written.

    Raises:
        InputError: the file cannot be written; what stood there before stays.
    """
    if path == STREAM:
        yield sys.stdout
        sys.stdout.flush()
        return
    target = Path(path)
    try:
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".part")
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}.") from error
    try:
        with open(handle, "w", encoding="utf-8", newline="\n") as stream:
            yield stream
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)
        os.replace(temporary, target)
    except OSError as error:
        raise InputError(
            f"{path} cannot be written: {error.strerror}; what stood there before is unchanged."
        ) from error
    finally:
        Path(temporary).unlink(missing_ok=True)
