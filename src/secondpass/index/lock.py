"""One process at a time in an index, and a name for the one that is in."""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

from secondpass.errors import StoreError

LOCK_NAME, HOLDER_NAME = "lock", "lock.json"


class IndexLock:
    """Holds the lock file of an index from `acquire` to `release`; the operating system frees it if we are killed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = FileLock(folder / LOCK_NAME, thread_local=False)

    def acquire(self, timeout_seconds: float) -> None:
        """Take the lock, waiting up to ``timeout_seconds``.

        Raises:
            StoreError: another process has it (named with its number and command), or the folder may not be written.
        """
        try:
            self._lock.acquire(timeout=timeout_seconds, poll_interval=0.02)
        except Timeout:
            raise StoreError(
                f"The index at {self._folder} is in use by {self._holder()}; wait until that has ended, or stop it "
                f"(waited {timeout_seconds:g} s)."
            ) from None
        except OSError as error:
            raise StoreError(
                f"The index at {self._folder} cannot be locked ({error.strerror}); it must lie in a folder that this "
                "user may write."
            ) from error
        # Program and command only: what follows may hold questions or keys.
        holder = {"pid": os.getpid(), "command": " ".join([Path(sys.argv[0]).name or "python", *sys.argv[1:2]])}
        with suppress(OSError):  # only names us to others; a full disk must not keep anybody from searching
            (self._folder / HOLDER_NAME).write_text(json.dumps(holder), encoding="utf-8")

    def release(self) -> None:
        """Let others in."""
        self._lock.release()

    def _holder(self) -> str:
        try:
            holder = json.loads((self._folder / HOLDER_NAME).read_text(encoding="utf-8"))
            return f"process {holder['pid']} ({holder['command']})"
        except (OSError, ValueError, KeyError, TypeError):
            return "another process"
