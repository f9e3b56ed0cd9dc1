"""``secondpass data split``: training and development data between which nothing leaks."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args

import click

from secondpass.cli.data_options import opened, reading_from, reading_options, say_problems
from secondpass.cli.data_progress import DataProgress
from secondpass.cli.options import json_option
from secondpass.cli.output import print_json
from secondpass.cli.plain import plain
from secondpass.data.lines import STREAM, count_lines
from secondpass.data.passages import BadLine
from secondpass.data.training_forms import FOLDER_FORMS
from secondpass.data.training_split import By, SplitOptions, SplitReport, split_examples
from secondpass.errors import InputError

_UNEVEN = 0.1  # of what was wanted


@click.command("split")
@click.argument("path", metavar="FILE")
@click.option("--dev", "share", type=float, default=0.1, show_default=True, help="The development set's share.")
@click.option(
    "--by",
    type=click.Choice(get_args(By)),
    default="document",
    show_default=True,
    help="What may not stand on both sides: questions, or questions and right passages.",
)
@click.option(
    "--near", type=click.FloatRange(0.5, 1), default=0.8, show_default=True, help="What is nearly the same question."
)
@click.option("--seed", type=int, default=13, show_default=True)
@click.option("--train-out", metavar="OUT", help="[default: FILE.train.jsonl; a folder: FOLDER.split/qrels/train.tsv]")
@click.option("--dev-out", metavar="OUT", help="[default: FILE.dev.jsonl; a folder: FOLDER.split/qrels/dev.tsv]")
@click.option("--quiet", "-q", is_flag=True, help="No progress.")
@reading_options
@json_option
def split_command(
    path: str,
    share: float,
    by: By,
    near: float,
    seed: int,
    train_out: str | None,
    dev_out: str | None,
    quiet: bool,
    as_json: bool,
    **reading: Any,
) -> int:
    """Part FILE into training and development data; FILE stays as it is.

    Rows with the same question (in any writing, or nearly) go to one side, by document also rows that share a right
    passage.
    A collection (BEIR folder) is parted by its questions: qrels are written, all else stays where it is.
    """  # fmt: skip
    if path == STREAM:
        raise InputError("A split reads its file twice; the standard input can be read only once.")
    examples = opened(path, reading_from(reading))
    folder = examples.form in FOLDER_FORMS
    targets = (_target(path, "train", train_out, folder), _target(path, "dev", dev_out, folder))
    problems: list[BadLine] = []
    options = SplitOptions(share, by, near, seed)
    progress = DataProgress(quiet or as_json, {"rows read": count_lines(path)})
    report = split_examples(examples, targets, options, problems, progress)
    say_problems(problems)
    if as_json:
        print_json({**asdict(report), "dev_share": report.dev_share, "left_out": len(problems)})
    else:
        click.echo(plain(_said(report)))
    return 1 if problems else 0


def _target(path: str, side: str, given: str | None, folder: bool) -> Path:
    if given:
        return Path(given)
    source = Path(path)
    if folder:
        return source.with_name(f"{source.name}.split") / "qrels" / f"{side}.tsv"
    name = source.name.removesuffix(".gz")
    stem = name.rpartition(".")[0] or name
    return source.with_name(f"{stem}.{side}.jsonl")


def _said(report: SplitReport) -> str:
    lines = [
        f"{report.train_rows:,} rows for training: {report.train_path}",
        f"{report.dev_rows:,} rows for development ({report.dev_share:.1%}): {report.dev_path}",
        f"parted by {report.by}: {report.groups:,} groups that hang together, the largest has "
        f"{report.largest_group:,} rows",
    ]
    if report.near:
        lines.append(f"{report.near:,} questions nearly are another one, and went where it did")
    if abs(report.dev_share - report.wanted) > _UNEVEN * report.wanted:
        lines.append(f"uneven: {report.wanted:.1%} was wanted; groups are not parted")
    return "\n".join(lines)
