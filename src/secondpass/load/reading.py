"""Get the bytes of a source, and what is said of them; knows nothing of what they mean."""

from __future__ import annotations

import importlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from secondpass.errors import InputError
from secondpass.load.options import WebOptions
from secondpass.load.sources import MEDIA_TYPES, Source, is_url


@dataclass(frozen=True, slots=True)
class Payload:
    """The bytes of a source. ``location`` is where they came from in the end (after redirects)."""

    data: bytes
    media_type: str | None
    charset: str | None
    location: str = ""


def read(source: Source, options: WebOptions) -> Payload:
    """Read a file or fetch a page, never more than ``options.max_bytes``.

    Raises:
        InputError: it cannot be read or fetched, is too large, or is of a kind that is not read.
    """
    if is_url(source.location):
        # Imported here: the HTTP client takes longer to import than a folder of files to read.
        payload: Payload = importlib.import_module("secondpass.load.web").fetch(source.location, options)
        return payload
    return Payload(
        _read_file(Path(source.location), options.max_bytes),
        MEDIA_TYPES.get(Path(source.location).suffix.lower()),
        None,
        source.location,
    )


def _read_file(path: Path, max_bytes: int) -> bytes:
    try:
        # Not blocking: what was a file when the folder was walked may be a pipe by now.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise InputError(f"{path} is not a file with content; only files, folders and web pages are read.")
            data = file.read(max_bytes + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise InputError(f"{path} cannot be read ({reason}).") from error
    if len(data) > max_bytes:
        raise InputError(f"{path} has more than the limit of {max_bytes / 2**20:g} MB; split it or raise the limit.")
    return data
