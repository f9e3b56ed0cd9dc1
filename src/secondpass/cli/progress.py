"""Show how far long work is: a bar with an estimate of what is left, or a line now and then into a file."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from secondpass.cli.pace import SECONDS_BETWEEN_LINES, time_left


class IndexingProgress:
    """A progress bar on the standard error; where that is no terminal, a line every five seconds."""

    def __init__(self, quiet: bool = False) -> None:
        console = Console(stderr=True)
        self._quiet = quiet
        self._lines = not console.is_terminal
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=quiet or self._lines,
        )
        self._task = self._bar.add_task("looking for documents", total=None)
        self._files = self._done_files = self._bytes = self._done_bytes = 0
        self._started = self._last_line = time.monotonic()

    def __enter__(self) -> IndexingProgress:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bar.stop()

    def start(self, files: int, size_bytes: int) -> None:
        """Hear how many files and bytes were found."""
        self._files, self._bytes = files, size_bytes
        self._bar.update(self._task, total=size_bytes or None, description=f"0/{files:,} documents")

    def advance(self, doc_ids: Sequence[str], size_bytes: int) -> None:
        """Hear which documents are done."""
        self._done_files += len(doc_ids)
        self._done_bytes += size_bytes
        done = f"{self._done_files:,}/{self._files:,} documents"
        self._bar.update(self._task, advance=size_bytes, description=done)
        if self._lines and not self._quiet and time.monotonic() - self._last_line > SECONDS_BETWEEN_LINES:
            self._last_line = time.monotonic()
            click.echo(f"{done}, {self._left()} left", err=True)

    def message(self, text: str) -> None:
        """Hear what is being done now."""
        self._bar.update(self._task, description=text)

    def _left(self) -> str:
        return time_left(time.monotonic() - self._started, self._done_bytes, self._bytes)
