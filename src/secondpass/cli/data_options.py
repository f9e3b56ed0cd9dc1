"""Options of commands that read training data, and the saying of lines that cannot be used."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, get_args

import click

from secondpass.cli.plain import plain
from secondpass.data.passages import BadLine
from secondpass.data.training_folders import FolderFiles
from secondpass.data.training_forms import FormName
from secondpass.data.training_read import Examples, ReadOptions, open_examples
from secondpass.errors import InputError

Command = TypeVar("Command", bound=Callable[..., Any])
_SAID = 20  # bad lines that are named; the rest is counted

_OPTIONS = (
    click.option("--form", type=click.Choice(get_args(FormName)), help="What the file is. [default: told by its keys]"),
    click.option("--column", "columns", multiple=True, metavar="KEY=COLUMN",
                 help="The file's name for a column, such as query=question; once for each."),
    click.option("--ignore", "ignored", multiple=True, metavar="KEY", help="A key to leave out; once for each."),
    click.option("--positive-from", type=float, default=0.5, show_default=True, metavar="X",
                 help="The label from which a passage is a positive."),
    click.option("--qrels", metavar="FILE", help="Judgements of a collection that is in no folder of its own."),
    click.option("--corpus", metavar="FILE", help='Its passages: lines of {"_id", "text", "title"?}.'),
    click.option("--queries", metavar="FILE", help='Its questions: lines of {"_id", "text"}, or id<TAB>text.'),
    click.option("--run", "run_path", metavar="FILE", help="A TREC run from which its negatives are taken."),
    click.option("--candidates", metavar="FILE", help='Or lists of candidates: {"qid", "pids"}.'),
    click.option("--split", "split_name", metavar="NAME", help="Which questions of a folder. [default: train]"),
)  # fmt: skip


def reading_options(command: Command) -> Command:
    """Add the options that say how training data is read; `reading_from` takes them."""
    for add in reversed(_OPTIONS):
        command = add(command)
    return command


def reading_from(values: dict[str, Any]) -> ReadOptions:
    """Take the options' values out of ``values``."""
    files = FolderFiles(
        values.pop("qrels"),
        values.pop("corpus"),
        values.pop("queries"),
        values.pop("run_path"),
        values.pop("candidates"),
        values.pop("split_name"),
    )
    return ReadOptions(
        values.pop("form"),
        _columns(values.pop("columns")),
        values.pop("ignored"),
        values.pop("positive_from"),
        files,
    )


def opened(path: str, reading: ReadOptions) -> Examples:
    """Open training data, and say what was chosen where nothing was asked for."""
    examples = open_examples(path, reading)
    if examples.note:
        click.echo(plain(f"note: {examples.note}"), err=True)
    return examples


def _columns(pairs: Sequence[str]) -> dict[str, str]:
    columns = {}
    for pair in pairs:
        key, equals, column = pair.partition("=")
        if not key or not equals or not column:
            raise InputError(f"--column is {pair!r}; write our key and the file's column, such as query=question.")
        columns[key] = column
    return columns


def say_problems(problems: Sequence[BadLine], strict: bool = False) -> None:
    """Name the first lines that could not be used and count the rest; raise the first where that was asked for."""
    if strict and problems:
        raise InputError(problems[0].reason)
    for problem in problems[:_SAID]:
        click.echo(plain(f"secondpass: {problem.reason} (left out)"), err=True)
    if len(problems) > _SAID:
        click.echo(f"secondpass: and {len(problems) - _SAID:,} more lines that cannot be used, left out.", err=True)


def say_notes(notes: Mapping[str, int]) -> None:
    """Say what was lost or changed."""
    for what, count in notes.items():
        click.echo(plain(f"note: {count:,} {what}"), err=True)
