"""Runs a merge that is planned and shows it: what is found of the models, how far the writing is, what came of it."""

from __future__ import annotations

import importlib
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from secondpass.cli.merge_options import Output
from secondpass.cli.output import print_json
from secondpass.cli.pace import SECONDS_BETWEEN_LINES, time_left
from secondpass.cli.plain import plain
from secondpass.cli.sizes import bytes_in_words
from secondpass.merge.merging import MergePlan, write_merge
from secondpass.models.probes import PROBES


class MergeProgress:
    """A bar on the standard error; where that is no terminal, a line every five seconds."""

    def __init__(self, quiet: bool) -> None:
        console = Console(stderr=True)
        self._lines = not console.is_terminal and not quiet
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=quiet or not console.is_terminal,
        )
        self._task = self._bar.add_task("merging", total=None)
        self._started = self._said = time.monotonic()
        self._done = 0

    def __enter__(self) -> MergeProgress:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bar.stop()

    def advance(self, done_bytes: int, total_bytes: int, tensor: str) -> None:
        """Hear how many bytes are written."""
        self._bar.update(self._task, completed=done_bytes, total=total_bytes, description=plain(tensor)[-40:])
        now = time.monotonic()
        if done_bytes < self._done:  # the models were looked at; now they are written
            self._started = now
        self._done = done_bytes
        if self._lines and now - self._said > SECONDS_BETWEEN_LINES and done_bytes < total_bytes:
            self._said = now
            left = time_left(now - self._started, done_bytes, total_bytes)
            done = f"{bytes_in_words(done_bytes)} of {bytes_in_words(total_bytes)}"
            click.echo(plain(f"{done}, {left} left ({tensor})"), err=True)


def run_merge(plan: MergePlan, output: Output, more: Mapping[str, Any] | None = None) -> int:
    """Say what is found, write the merge unless it is a dry run, and say what was written."""
    say_notes(plan.notes, plan.warnings)
    if output.dry_run or not output.out:
        _say_plan(plan, output, more or {})
        return 0
    started = time.monotonic()
    with MergeProgress(output.quiet or output.as_json) as progress:
        folder = write_merge(plan, Path(output.out).expanduser(), progress.advance)
    seconds = time.monotonic() - started
    if probed := _renewed(folder, plan):
        say_notes([probed], ())
    if output.as_json:
        print_json({**_described(plan), **(more or {}), "out": str(folder), "seconds": round(seconds, 3)})
        return 0
    size = bytes_in_words(plan.total_bytes)
    click.echo(plain(f"{folder}: {size} in {_files(plan)}, by {_method(plan)} of {_names(plan)}, {seconds:.1f} s"))
    click.echo("Where it comes from is in merge.json and README.md there. Measure it before you use it: merge sweep.")
    return 0


def _renewed(folder: Path, plan: MergePlan) -> str:
    """Have the merged model keep pairs with its own scores where its parents keep some."""
    if not any((parent.folder / PROBES).is_file() for parent in plan.parents):
        return ""
    probing: Any = importlib.import_module("secondpass.merge.probing")
    said: str = probing.renew_probes(folder, plan.parents)
    return said


def say_notes(notes: Iterable[str], warnings: Iterable[str]) -> None:
    """Say on the standard error what is worth knowing, and what speaks against it."""
    for kind, lines in (("note", notes), ("warning", warnings)):
        for line in lines:
            click.echo(plain(f"{kind}: {line}"), err=True)


def _say_plan(plan: MergePlan, output: Output, more: Mapping[str, Any]) -> None:
    if output.as_json:
        print_json({**_described(plan), **more, "out": output.out, "dry_run": True})
        return
    click.echo(plain(f"would merge {_names(plan)} by {_method(plan)}"))
    for one in plan.kinships:
        click.echo(plain(f"  {one.described()}"))
    where = f" into {output.out}" if output.out else ""
    click.echo(
        plain(
            f"  {len(plan.parents[0].tensors):,} tensors, {bytes_in_words(plan.total_bytes)} in {_files(plan)}{where}"
        )
    )
    click.echo(plain(f"  taken over from {plan.parents[0].name}: {', '.join(plan.parents[0].settings)}"))


def _names(plan: MergePlan) -> str:
    weights = getattr(plan.method, "weights", ())
    names = [parent.name for parent in plan.parents]
    shown = [f"{name}={weight:.4g}" for name, weight in zip(names, weights, strict=False)] or names
    return " + ".join(shown) + (f" over {plan.base.name}" if plan.base else "")


def _method(plan: MergePlan) -> str:
    settings = [f"{key} {value}" for key, value in plan.method.settings.items() if key != "weights"]
    return plan.method.name + (f" ({', '.join(settings)})" if settings else "")


def _files(plan: MergePlan) -> str:
    count = plan.files()
    return f"{count:,} file{'s'[: count > 1]}"


def _described(plan: MergePlan) -> dict[str, Any]:
    return {
        "method": plan.method.name,
        **plan.method.settings,
        "models": [parent.name for parent in plan.parents],
        "base": plan.base.name if plan.base else None,
        "tensors": len(plan.parents[0].tensors),
        "bytes": plan.total_bytes,
        "files": plan.files(),
        "distances": [
            {"from": one.first, "to": one.other, "distance": one.distance, "norm": one.norm, "nearness": one.nearness}
            for one in plan.kinships
        ],
        "notes": list(plan.notes),
        "warnings": plan.warnings,
    }
