"""``secondpass merge sweep``: the line between a base and a fine-tuned model, measured and drawn."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from secondpass.cli.merge_options import output_from, output_options, scoring_from, scoring_options
from secondpass.cli.merge_output import run_merge, say_notes
from secondpass.cli.output import console, print_json, shown
from secondpass.cli.pace import SECONDS_BETWEEN_LINES, time_left
from secondpass.cli.plain import plain
from secondpass.cli.reranking import show_notes
from secondpass.data.collections import read_task
from secondpass.data.lines import write_whole
from secondpass.errors import InputError
from secondpass.evaluate.candidates import TaskLists
from secondpass.evaluate.measures import parse_measure
from secondpass.merge.parents import open_parent
from secondpass.merge.sweep import MEASURE, WEIGHTS, Sweep, SweepOptions, TaskValue, chosen_plan, sweep
from secondpass.merge.sweep_picture import svg_plot, text_plot


@click.command("sweep")
@click.argument("base")
@click.argument("tuned")
@click.option("--target", required=True, metavar="TASK",
              help="What the model was tuned for: a BEIR folder, or a file of labelled lists.")  # fmt: skip
@click.option("--general", metavar="TASK", help="What it should not lose: another task.")
@click.option("--target-split", metavar="NAME", help="Split of the target. [default: test, or the only one]")
@click.option("--general-split", metavar="NAME", help="Split of the general task.")
@click.option("--weights", "written", metavar="W,W,...", help="Weights of TUNED. [default: 0,0.1,...,1]")
@click.option("--max-general-loss", "general_loss", type=click.FloatRange(0), default=1.0, show_default=True,
              metavar="POINTS", help="How much the general task may lose against BASE, in points of 100.")  # fmt: skip
@click.option("--measure", default=MEASURE, show_default=True, metavar="NAME", help="What the tasks are measured by.")
@click.option("--sample", type=click.IntRange(1), metavar="N", help="Questions of each task. [default: all]")
@click.option("--top-k", type=click.IntRange(1), default=100, show_default=True, metavar="K",
              help="Passages of BM25 to order, where a task has no lists.")  # fmt: skip
@click.option("--svg", metavar="FILE", help="Draw the line as a picture, too.")
@click.option("--work", metavar="FOLDER", help="Where a mix is kept while it is measured. [default: temporary files]")
@scoring_options
@output_options
def sweep_command(base: str, tuned: str, target: str, general: str | None, **values: Any) -> int:
    """Measure mixes of BASE and TUNED: what is gained on --target, and what is kept of --general.

    \b
    secondpass merge sweep my-base my-tuned --target law/ --general news/ --out merged

    The best mix on the target that loses no more than --max-general-loss elsewhere is named, and written to --out.
    Choose on questions that you do not report on afterwards.
    """
    output = output_from(values, needed=False)
    scoring = scoring_from(values, output.offline)
    if output.dry_run:
        raise InputError("A sweep without --out writes nothing but its table; leave out --dry-run.")
    work = values["work"]
    options = SweepOptions(
        _weights(values["written"]), str(parse_measure(values["measure"])), values["general_loss"] / 100, scoring,
        Path(work) if work else None,
    )  # fmt: skip
    parents = open_parent(base, output.offline), open_parent(tuned, output.offline)
    lists = [_lists(target, values["target_split"], values)]
    if general:
        lists.append(_lists(general, values["general_split"], values))
    show_notes()
    found = sweep(*parents, lists, options, _Lines(output.quiet or output.as_json).advance)
    if values["svg"]:
        with write_whole(values["svg"]) as stream:
            stream.write(svg_plot(found))
    if not output.as_json:
        say_notes(found.notes, ())
        console().print(_table(found))
        click.echo(plain(text_plot(found)))
        click.echo(plain(_verdict(found)))
    if output.out:
        return run_merge(chosen_plan(*parents, found, output.write), output, {"sweep": asdict(found)})
    if output.as_json:
        print_json(asdict(found))
    return 0


class _Lines:
    """Says every five seconds how far the sweep is."""

    def __init__(self, quiet: bool) -> None:
        self._quiet = quiet
        self._started = self._said = time.monotonic()

    def advance(self, what: str, done: int, total: int) -> None:
        """Hear how many questions are done."""
        now = time.monotonic()
        if not self._quiet and now - self._said > SECONDS_BETWEEN_LINES:
            self._said = now
            left = time_left(now - self._started, done, total)
            click.echo(plain(f"{what}: {done:,}/{total:,} questions, {left} left"), err=True)


def _weights(written: str | None) -> tuple[float, ...]:
    if not written:
        return WEIGHTS
    try:
        return tuple(float(part) for part in written.split(","))
    except ValueError as error:
        raise InputError(f"--weights {written!r}: accepted are numbers from 0 to 1, such as 0,0.25,0.5,1.") from error


def _lists(path: str, split: str | None, values: dict[str, Any]) -> TaskLists:
    lists = TaskLists(read_task(path, split), values["sample"], top_k=values["top_k"])
    say_notes([f"{lists.name}: {count:,} {reason}" for reason, count in lists.dropped.items()], ())
    return lists


def _table(found: Sweep) -> Table:
    title = f"{found.measure} of mixes of {found.base} (0) and {found.tuned} (1)"
    table = Table(title=plain(title), title_justify="left", pad_edge=False)
    table.add_column("weight", justify="right")
    for task in (found.target, found.general):
        if task:
            table.add_column(shown(f"{task}\n{found.questions[task]:,} questions, 95%"), justify="right")
            table.add_column("to base\np", justify="right")
    for point in found.points:
        cells = [f"{point.weight:g}", *_cells(point.target), *(_cells(point.general) if point.general else ())]
        style = "bold" if point.weight == found.chosen else "" if point.allowed else "dim"
        table.add_row(*cells, style=style)
    return table


def _cells(value: TaskValue) -> tuple[str, str]:
    interval = f"{100 * value.mean:.2f} [{100 * value.low:.1f}, {100 * value.high:.1f}]"
    return interval, f"{100 * value.gain:+.2f}  p {value.p_value:.3f}"


def _verdict(found: Sweep) -> str:
    best, end = found.best, found.points[-1]
    kept = ""
    if found.general and best.general and end.general:
        bound = f"of at most {100 * found.general_loss:g} points"
        kept = (
            f", {found.general} {100 * best.general.gain:+.2f} (a loss {bound} is allowed; {found.tuned} itself: "
            f"{100 * end.general.gain:+.2f})"
        )
    if best.weight == 0:
        return f"No mix is better on {found.target} than {found.base} itself{kept}."
    itself = f"; {found.tuned} itself: {100 * end.target.gain:+.2f}"
    return f"Best: weight {best.weight:g}: {found.target} {100 * best.target.gain:+.2f} to {found.base}{itself}{kept}."
