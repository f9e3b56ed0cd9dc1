"""Show how far an evaluation is: a bar with what is left, or a line now and then into a file."""

from __future__ import annotations

import time
from types import TracebackType

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from secondpass.cli.pace import SECONDS_BETWEEN_LINES, time_left
from secondpass.cli.plain import plain


class EvaluationProgress:
    """A bar on the standard error for every task and system; where that is no terminal, a line every five seconds."""

    def __init__(self) -> None:
        console = Console(stderr=True)
        self._lines = not console.is_terminal
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=self._lines,
        )
        self._task = self._bar.add_task("", total=None)
        self._what, self._total, self._known, self._done = "", 0, 0, 0
        self._started = self._said = time.monotonic()

    def __enter__(self) -> EvaluationProgress:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bar.stop()

    def begin(self, task: str, system: str, questions: int, known: int) -> None:
        """Hear what is worked out next."""
        self._what, self._total, self._known, self._done = plain(f"{task}: {system}"), questions, known, known
        self._started = time.monotonic()
        self._bar.reset(self._task, total=questions, completed=known, description=self._what)
        if known and self._lines:
            click.echo(f"{self._what}: {known:,} of {questions:,} questions are known from before", err=True)

    def advance(self) -> None:
        """Hear that one more question is done."""
        self._done += 1
        self._bar.update(self._task, completed=self._done)
        now = time.monotonic()
        if self._lines and now - self._said > SECONDS_BETWEEN_LINES:
            self._said = now
            fresh, missing = self._done - self._known, self._total - self._known
            pace = fresh / (now - self._started)
            left = time_left(now - self._started, fresh, missing)
            done = f"{self._done:,}/{self._total:,} questions, {pace:,.{1 if pace < 10 else 0}f}/s, {left} left"
            click.echo(f"{self._what}: {done}", err=True)

    def message(self, text: str) -> None:
        """Hear what is being done otherwise."""
        self._bar.update(self._task, description=plain(text), total=None, completed=0)
