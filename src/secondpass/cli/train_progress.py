"""Show how far a training run is: data before it, a bar with loss and line, a row for every measurement."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from secondpass.cli.pace import SECONDS_BETWEEN_LINES, duration, seconds_left
from secondpass.cli.plain import plain
from secondpass.data.training_findings import CheckReport

_NOT_MEASURES = frozenset({"event", "step", "loss", "line", "spread", "best", "questions"})


class TrainProgress:
    """Hears of a run and says it on the standard error; where that is no terminal, a line every five seconds."""

    def __init__(self, quiet: bool) -> None:
        console = Console(stderr=True)
        self._quiet, self._lines = quiet, not console.is_terminal
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
            console=console,
            transient=True,
            disable=quiet or self._lines,
        )
        self._task = self._bar.add_task("reading", total=None, left="")
        self._started = self._said = time.monotonic()
        self._first = self._steps = 0
        self._limit_seconds = 0.0
        self._headed = False

    def __enter__(self) -> TrainProgress:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bar.stop()

    def notes(self, notes: Iterable[str]) -> None:
        """Say what is worth knowing, also where nothing else is said."""
        for note in notes:
            click.echo(plain(f"note: {note}"), err=True)

    def checked(self, report: CheckReport) -> None:
        """Hear what the data look like."""
        self._say(f"{report.path}: {report.form}, {report.rows:,} rows")
        for one in report.findings:
            places = f" ({', '.join(one.places[:2])})" if one.places else ""
            advice = f"; {one.advice}" if one.advice else ""
            self._say(f"{one.severity}: {one.count:,} of {one.of:,} {one.what}{places}{advice}")
        lengths: Any = report.facts.get("lengths")
        if lengths:
            cut = f"{lengths['cut_passages']:.1%} of the passages do not fit"
            self._say(f"the model reads {lengths['limit']:,} of its tokens; {cut}")

    def hear(self, record: dict[str, Any]) -> None:
        """Hear a record of the run."""
        event = record["event"]
        if event == "note":
            self.notes([record["text"]])
        elif event == "start":
            self._first, self._steps, self._started = record["step"], record["steps"], time.monotonic()
            self._limit_seconds = record["minutes"] * 60
            self._bar.update(self._task, total=record["steps"], completed=record["step"], description="training")
            self._say(f"{record['steps']:,} steps on {record['devices']}; checkpoints in {record['folder']}")
        elif event == "step":
            self._step(record)
        else:
            self._measured(record)

    def _step(self, record: Mapping[str, Any]) -> None:
        line = f" (nothing learned: {record['line']:.3f})" if record["line"] is not None else ""
        left = f"{self._left(record)} left"
        self._bar.update(
            self._task, completed=record["step"], description=f"loss {record['loss']:.3f}{line}", left=left
        )
        now = time.monotonic()
        if self._lines and now - self._said > SECONDS_BETWEEN_LINES:
            self._said = now
            pace = f"{(record['step'] - self._first) / (now - self._started):,.2f}/s"
            self._say(f"{record['step']:,}/{self._steps:,} steps, {pace}, {left}, loss {record['loss']:.3f}{line}")

    def _left(self, record: Mapping[str, Any]) -> str:
        """Return how long the run will go on: to its last step, or to its time limit where that comes first."""
        done, steps = record["step"] - self._first, self._steps - self._first
        seconds = seconds_left(time.monotonic() - self._started, done, steps)
        if self._limit_seconds:
            seconds = min(seconds, max(0.0, self._limit_seconds - record["seconds"]))
        return duration(seconds)

    def _measured(self, record: Mapping[str, Any]) -> None:
        measures = {name: value for name, value in record.items() if name not in _NOT_MEASURES}
        if not self._headed:
            self._headed = True
            names = "".join(f"{name:>10}" for name in measures)
            self._say(f"{'step':>8}{names}{'loss':>9}{'nothing learned':>17}{'spread':>8}")
        values = "".join(f"{100 * value:>10.1f}" for value in measures.values())
        best = "  best" if record["best"] else ""
        row = f"{record['step']:>8,}{values}{record['loss']:>9.3f}{record['line']:>17.3f}{record['spread']:>8.2f}{best}"
        self._say(row)

    def _say(self, text: str) -> None:
        if self._quiet:
            return
        if self._lines:
            click.echo(plain(text), err=True)
        else:
            self._bar.console.print(plain(text), markup=False, highlight=False)
