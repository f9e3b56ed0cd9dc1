"""A file of JSON lines that grows while long work goes on, and is gone on with after a crash.

Lines are appended to ``NAME.part`` and are there when `append` returns, whatever happens to the process; a last line
that was torn is cut off. ``NAME`` itself appears when the work is done.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from filelock import FileLock, Timeout

from secondpass.data.lines import parse_object, read_lines
from secondpass.errors import InputError
from secondpass.types import Json

_TAIL = 1 << 16


class ResumableFile:
    """Lines of ``path`` that are written one by one; use it in a ``with``, and `finish` it.

    ``settings`` is what the lines depend on: work that was begun with others is not gone on with. With ``reopen`` a
    file that was finished is gone on with too.

    Raises:
        InputError: the place cannot be written, another process writes it, or it was begun with other settings.
    """

    def __init__(self, path: Path, settings: Mapping[str, Json], reopen: bool = False) -> None:
        self.path = path
        self.part = path.with_name(f"{path.name}.part")
        self._settings_file = path.with_name(f"{path.name}.part.settings.json")
        self._settings, self._reopen = dict(settings), reopen
        self._lock = FileLock(f"{self.part}.lock")

    def __enter__(self) -> ResumableFile:
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise InputError(f"{self.path} is being written by another process.") from None
        except OSError as error:
            raise self._unwritable(error) from error
        try:
            if self._reopen and self.path.exists() and not self.part.exists():
                os.replace(self.path, self.part)
            self._check_settings()
            _cut_torn_line(self.part)
            self._file = self.part.open("a", encoding="utf-8", newline="\n")
        except OSError as error:
            self._lock.release()
            raise self._unwritable(error) from error
        except InputError:
            self._lock.release()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._file.close()
        self._lock.release()
        Path(self._lock.lock_file).unlink(missing_ok=True)

    def done(self) -> Iterator[dict[str, Any]]:
        """Yield the records that were written before."""
        for number, line in read_lines(str(self.part)):
            yield parse_object(line, f"{self.part}:{number}")

    def append(self, record: Mapping[str, Any]) -> None:
        """Write one record.

        Raises:
            InputError: it cannot be written; what was written before is kept.
        """
        try:
            self._file.write(json.dumps(record, ensure_ascii=False) + "\n")
            self._file.flush()
        except OSError as error:
            raise InputError(
                f"{self.part} cannot be written: {error.strerror}; what was done is kept, the same command goes on."
            ) from error

    def finish(self) -> None:
        """Give the file its name."""
        os.fsync(self._file.fileno())
        os.replace(self.part, self.path)
        self._settings_file.unlink(missing_ok=True)

    def _check_settings(self) -> None:
        if self.part.exists() and self._settings_file.exists():
            begun = json.loads(self._settings_file.read_text(encoding="utf-8"))
            other = [key for key in begun.keys() | self._settings.keys() if begun.get(key) != self._settings.get(key)]
            if other:
                key = sorted(other)[0]
                raise InputError(
                    f"{self.part} was begun with other settings ({key}: {begun.get(key)!r}, now "
                    f"{self._settings.get(key)!r}); use the same ones to go on, or remove it to begin anew."
                )
        self._settings_file.write_text(json.dumps(self._settings, ensure_ascii=False), encoding="utf-8")

    def _unwritable(self, error: OSError) -> InputError:
        return InputError(f"{self.path} cannot be written: {error.strerror or error}.")


def _cut_torn_line(path: Path) -> None:
    """Cut off what follows the last line break."""
    if not path.exists():
        return
    with path.open("rb+") as file:
        end = file.seek(0, os.SEEK_END)
        while end:
            start = max(0, end - _TAIL)
            file.seek(start)
            place = file.read(end - start).rfind(b"\n")
            if place >= 0:
                file.truncate(start + place + 1)
                return
            end = start
        file.truncate(0)
