"""``secondpass data convert``: training data from one form to another."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, get_args

import click

from secondpass.cli.data_options import opened, reading_from, reading_options, say_notes, say_problems
from secondpass.cli.data_progress import DataProgress
from secondpass.cli.options import json_option
from secondpass.cli.output import print_json
from secondpass.cli.plain import plain
from secondpass.data.lines import STREAM, count_lines
from secondpass.data.passages import BadLine
from secondpass.data.training_convert import convert
from secondpass.data.training_forms import FormName


@click.command("convert")
@click.argument("source", metavar="IN")
@click.argument("target", metavar="OUT")
@click.option("--to", "form_to", type=click.Choice(get_args(FormName)), default="flag", show_default=True)
@click.option(
    "--group/--no-group", default=None, help="Bring rows of one question together. [default: where OUT needs it]"
)
@click.option("--negatives", type=click.IntRange(0), metavar="N", help="Exactly so many negatives for each row.")
@click.option("--strict", is_flag=True, help="Write nothing where a line cannot be used.")
@reading_options
@json_option
def convert_command(
    source: str,
    target: str,
    form_to: FormName,
    group: bool | None,
    negatives: int | None,
    strict: bool,
    as_json: bool,
    **reading: Any,
) -> int:
    """Write the training data IN (a file, a BEIR folder, - = stdin) to OUT in another form.

    A line that cannot be used is named by its number and left out (exit code 1). What the other form cannot hold is
    counted. beir and trec are written as a folder. With --qrels, --corpus, --queries and --run, IN is - and not read.
    """
    examples = opened(source, reading_from(reading))
    problems: list[BadLine] = _Strict() if strict else []
    progress = DataProgress(as_json, {"rows": count_lines(source)})
    report = convert(examples, target, form_to, problems, group, negatives, progress)
    say_problems(problems)
    if as_json and target != STREAM:
        print_json({**asdict(report), "from": examples.form, "left_out": len(problems)})
        return 1 if problems else 0
    say_notes(report.notes)
    click.echo(
        plain(f"{examples.form} -> {report.form}: {report.examples:,} examples in {report.rows:,} rows, {report.path}"),
        err=True,
    )
    return 1 if problems else 0


class _Strict(list[BadLine]):
    """Problems of which the first ends everything, before anything takes its name."""

    def append(self, problem: BadLine) -> None:
        """Raise it."""
        say_problems([problem], strict=True)
