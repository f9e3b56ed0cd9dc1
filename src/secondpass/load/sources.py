"""Find what there is to load: folders, files and web addresses become sources, or a reason why not."""

from __future__ import annotations

import difflib
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from secondpass.errors import InputError

MAX_BYTES = 50 * 2**20
MEDIA_TYPES = {
    ".md": "text/markdown",
    ".markdown": "text/markdown",
    ".mdx": "text/markdown",
    ".txt": "text/plain",
    ".text": "text/plain",
    ".log": "text/plain",
    ".rst": "text/x-rst",
    ".html": "text/html",
    ".htm": "text/html",
    ".xhtml": "text/html",
    ".pdf": "application/pdf",
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
}
"""The kinds of files that are read, by the end of their name."""

_ADVICE = {
    ".doc": "save it as .docx",
    ".rtf": "save it as .docx",
    ".odt": "save it as .docx",
    ".wps": "save it as .docx",
    ".ppt": "save it as .pdf",
    ".pptx": "save it as .pdf",
    ".xls": "save it as .txt or .pdf",
    ".xlsx": "save it as .txt or .pdf",
    ".epub": "save it as .html or .txt",
    ".mht": "save it as .html",
    ".mhtml": "save it as .html",
}


@dataclass(frozen=True, slots=True)
class Source:
    """Something to load: ``location`` is an absolute path or a URL."""

    location: str
    doc_id: str
    size: int | None
    modified_ns: int | None


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something that is not loaded, and why, in words that follow its name."""

    location: str
    reason: str


def is_url(location: str) -> bool:
    """Tell an http(s) address from a path.

    >>> is_url("HTTPS://example.org"), is_url("notes/a.md")
    (True, False)
    """
    return location[:8].lower().startswith(("http://", "https://"))


def normalize_url(url: str) -> str:
    """Return one spelling of an address: lower-case scheme and host, no default port, no fragment.

    >>> normalize_url("HTTP://Example.org:80#top")
    'http://example.org/'

    Raises:
        InputError: the address has no host, a broken port, or a user name in it.
    """
    try:
        parts = urlsplit(url.strip())
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise InputError(f"{url!r} is not a web address ({error}); write it as https://host/path.") from error
    if not host or parts.scheme.lower() not in ("http", "https"):
        raise InputError(f"{url!r} is not a web address; write it as https://host/path.")
    if parts.username is not None or parts.password is not None:
        raise InputError(f"The address of {host} carries a user name or password; save the page as a file instead.")
    scheme = parts.scheme.lower()
    name = f"[{host}]" if ":" in host else host
    if port is not None and port != {"http": 80, "https": 443}[scheme]:
        name = f"{name}:{port}"
    return urlunsplit((scheme, name, parts.path or "/", parts.query, ""))


def find_sources(roots: Sequence[str | Path], base: Path, max_bytes: int = MAX_BYTES) -> Iterator[Source | Skipped]:
    """Find everything below ``roots`` (files, folders, http(s) addresses), each real file once, in a fixed order.

    Folders are walked in the order of names and through links; hidden files and folders are left out.

    Args:
        roots: where to look.
        base: document ids of files below it are relative to it.
        max_bytes: larger files are skipped.

    Raises:
        InputError: a root does not exist or is not a web address; raised at once, before anything is given.
    """
    checked = [normalize_url(str(root)) if is_url(str(root)) else _existing(Path(root)) for root in roots]
    return _Walk(Path(os.path.abspath(base)), max_bytes).give(checked)


def _existing(root: Path) -> Path:
    path = Path(os.path.abspath(root.expanduser()))
    if os.path.lexists(path):
        return path
    parent = path.parent
    if not parent.is_dir():
        raise InputError(f"There is no file or folder {str(root)!r}, nor a folder {str(parent)!r}; check the path.")
    try:
        near = difflib.get_close_matches(path.name, os.listdir(parent), n=1)
    except OSError:
        near = []
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise InputError(f"There is no file or folder {str(root)!r}.{hint}")


class _Walk:
    """One walk over all roots; remembers what was seen."""

    def __init__(self, base: Path, max_bytes: int) -> None:
        self._base = base
        self._max_bytes = max_bytes
        self._seen: set[tuple[int, int] | str] = set()

    def give(self, roots: Sequence[str | Path]) -> Iterator[Source | Skipped]:
        for root in roots:
            if isinstance(root, Path):
                yield from self._walk(root)
            elif root not in self._seen:
                self._seen.add(root)
                yield Source(root, root, None, None)

    def _walk(self, root: Path) -> Iterator[Source | Skipped]:
        # A stack, not recursion: folders may be nested deeper than Python calls may. Each entry carries the folders
        # above it, to tell a loop from a second way to the same folder.
        stack: list[tuple[Path, frozenset[tuple[int, int]]]] = [(root, frozenset())]
        while stack:
            path, above = stack.pop()
            found = self._look(path)
            if isinstance(found, Skipped):
                yield found
            elif stat.S_ISDIR(found.st_mode):
                key = (found.st_dev, found.st_ino)
                if key in above:
                    yield Skipped(_printable(path), f"is a link back to {os.path.realpath(path)}, a folder above it")
                elif key not in self._seen:
                    self._seen.add(key)
                    children = _children(path)
                    if isinstance(children, Skipped):
                        yield children
                    else:
                        stack += [(child, above | {key}) for child in reversed(children)]
            else:
                yield from self._file(path, found)

    def _look(self, path: Path) -> os.stat_result | Skipped:
        try:
            str(path).encode("utf-8")
        except UnicodeEncodeError:
            return Skipped(_printable(path), "has a name that is not valid UTF-8; rename it")
        try:
            return path.stat()
        except FileNotFoundError:
            if path.is_symlink():
                return Skipped(str(path), f"is a link to {os.readlink(path)}, which does not exist")
            return Skipped(str(path), "disappeared while the folder was read")
        except OSError as error:
            if path.is_symlink() and not isinstance(error, PermissionError):
                return Skipped(str(path), f"is a link that leads nowhere ({error.strerror})")
            return Skipped(str(path), f"cannot be reached ({error.strerror}); check its permissions")

    def _file(self, path: Path, found: os.stat_result) -> Iterator[Source | Skipped]:
        reason = self._reason_to_skip(path, found)
        key = (found.st_dev, found.st_ino)
        if key in self._seen:
            return
        self._seen.add(key)
        if reason:
            yield Skipped(str(path), reason)
        else:
            yield Source(str(path), self._doc_id(path), found.st_size, found.st_mtime_ns)

    def _reason_to_skip(self, path: Path, found: os.stat_result) -> str:
        if not stat.S_ISREG(found.st_mode):
            return f"is {_special(found.st_mode)}, not a file with content"
        suffix = path.suffix.lower()
        if suffix not in MEDIA_TYPES:
            advice = _ADVICE.get(suffix, f"known are {' '.join(MEDIA_TYPES)}")
            return f"is of a kind that is not read ({suffix or 'no ending'}); {advice}"
        if found.st_size > self._max_bytes:
            return (
                f"has {found.st_size / 2**20:.1f} MB, more than the limit of {self._max_bytes / 2**20:g} MB; "
                "split it or raise the limit"
            )
        if not os.access(path, os.R_OK):
            return "cannot be read (permission denied); change its permissions"
        return ""

    def _doc_id(self, path: Path) -> str:
        return (path.relative_to(self._base) if path.is_relative_to(self._base) else path).as_posix()


def _children(folder: Path) -> list[Path] | Skipped:
    try:
        names = os.listdir(folder)
    except OSError as error:
        return Skipped(str(folder), f"is a folder that cannot be listed ({error.strerror}); check its permissions")
    return [folder / name for name in sorted(names) if not name.startswith(".")]


def _special(mode: int) -> str:
    names = ((stat.S_ISFIFO, "a pipe"), (stat.S_ISSOCK, "a socket"), (stat.S_ISCHR, "a device"))
    return next((name for test, name in names if test(mode)), "a device")


def _printable(path: Path) -> str:
    return os.fsencode(path).decode("utf-8", "replace")
