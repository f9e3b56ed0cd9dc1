"""``secondpass data check``: what would spoil training, before anything is trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from secondpass.cli.data_options import opened, reading_from, reading_options, say_notes, say_problems
from secondpass.cli.data_progress import DataProgress
from secondpass.cli.options import json_option
from secondpass.cli.output import console, print_json, shown
from secondpass.cli.reranking import RerankingCommand, reranking_from, reranking_options
from secondpass.config import QUICK_RERANKER
from secondpass.data.lines import STREAM, count_lines
from secondpass.data.passages import BadLine
from secondpass.data.teacher import Teacher
from secondpass.data.token_lengths import TokenLengths, estimated_lengths, model_lengths
from secondpass.data.training_check import Checked, CheckOptions, check
from secondpass.data.training_clean import clean
from secondpass.data.training_findings import CheckReport
from secondpass.data.training_folders import FolderFiles
from secondpass.data.training_read import Examples, ReadOptions, open_examples
from secondpass.errors import InputError
from secondpass.rerank.names import open_reranker
from secondpass.rerank.options import RerankerOptions

_STYLES = {"spoils": "bold red", "warning": "yellow", "note": ""}


@click.command("check", cls=RerankingCommand)
@click.argument("path", metavar="FILE")
@click.option("--dev", "dev_path", metavar="FILE", help="The development set: what of it stands in FILE too?")
@click.option("--dev-split", metavar="NAME", help="Which questions of the development set. [default: dev]")
@click.option("--model", metavar="NAME", help="Count lengths in this model's tokens. [default: estimated, against 512]")
@click.option(
    "--teacher",
    default=QUICK_RERANKER,
    show_default=True,
    metavar="NAME",
    help="Scores negatives; a model such as builtin reads them, and takes longer; none: nothing does.",
)
@click.option("--sample", type=click.IntRange(1), default=500, show_default=True, help="Rows that the teacher scores.")
@click.option("--near", type=click.FloatRange(0.5, 1), default=0.8, show_default=True, help="What is nearly the same.")
@click.option("--fix", "fixed_path", metavar="OUT", help="Write a copy without what was found.")
@click.option("--quiet", "-q", is_flag=True, help="No progress.")
@reading_options
@json_option
@reranking_options
def check_command(
    path: str,
    dev_path: str | None,
    dev_split: str | None,
    model: str | None,
    teacher: str,
    sample: int,
    near: float,
    fixed_path: str | None,
    quiet: bool,
    as_json: bool,
    **values: Any,
) -> int:
    """Say what would spoil training on FILE: a file or folder of any form.

    Looked for: empty and repeated texts, positives among the negatives (exactly, nearly, in other rows of the
    question), what the development set has too, lengths, languages, groups, labels that say nothing, negatives that a
    teacher holds for right, signs of a wrong encoding. Exit code 1 where something spoils training.
    """
    if path == STREAM:
        raise InputError("A check reads its file more than once; the standard input can be read only once.")
    reading, reranking = reading_from(values), reranking_from(values)
    options = CheckOptions(
        dev=_dev(dev_path, dev_split, reading),
        lengths=_lengths(model, reranking),
        teacher=None if teacher == "none" else Teacher(open_reranker(teacher, reranking)),
        teacher_rows=sample,
        near=near,
    )
    examples = opened(path, reading)
    progress = DataProgress(quiet or as_json, {"rows": count_lines(path)})
    problems: list[BadLine] = []
    checked = check(examples, options, problems, progress)
    written = clean(examples, fixed_path, checked, options) if fixed_path else None
    if as_json:
        print_json({**asdict(checked.report), "spoiled": checked.report.spoiled, "fixed": written and asdict(written)})
    else:
        say_problems(problems)
        _show(checked)
        if written:
            say_notes(written.notes)
            click.echo(f"{written.examples:,} of {checked.report.rows:,} rows written to {written.path}")
    return 1 if checked.report.spoiled else 0


def _dev(path: str | None, split: str | None, reading: ReadOptions) -> Examples | None:
    if path is None:
        return None
    files = FolderFiles(split=split or "dev") if Path(path).is_dir() else FolderFiles()
    return open_examples(path, replace(reading, files=files, form=None))


def _lengths(model: str | None, reranking: RerankerOptions) -> TokenLengths:
    if model is None:
        return estimated_lengths(reranking.max_tokens)
    return model_lengths(model, reranking.max_tokens, reranking.offline)


def _show(checked: Checked) -> None:
    report = checked.report
    screen = console()
    table = Table(title=f"{report.path}: {report.form}, {report.rows:,} rows", title_justify="left", pad_edge=False)
    for column in ("", "how many", "what, and what to do", "where"):
        table.add_column(column, overflow="fold", justify="right" if column == "how many" else "left")
    for finding in report.findings:
        table.add_row(
            shown(finding.severity, _STYLES[finding.severity]),
            f"{finding.count:,}\nof {finding.of:,}",
            shown(f"{finding.what}\n→ {finding.advice}"),
            shown("\n".join(_short(place) for place in finding.places)),
        )
    screen.print(table if report.findings else shown(f"{report.path}: {report.rows:,} rows, nothing was found."))
    for line in _facts(report):
        screen.print(shown(line))
    for bound in report.bounds:
        screen.print(shown(f"looked at in part: {bound}"))


def _short(place: str) -> str:
    """Return a place, or two that are alike, without their folders."""
    return " ".join(Path(part).name if ":" in part else part for part in place.split(" "))


def _facts(report: CheckReport) -> list[str]:
    """Return the figures in words."""
    facts: Mapping[str, Any] = report.facts
    lines = ["languages: " + ", ".join(f"{name} {count:,}" for name, count in facts["languages"].items())]
    groups = [f"{side} {_spread(facts[side])}" for side in ("positives", "negatives")]
    lines.append(f"passages of a question (least / median / most): {', '.join(groups)}")
    if lengths := facts["lengths"]:
        lines.append(
            f"tokens ({lengths['tokens_of']}, limit {lengths['limit']:,}; median / 95% / most): questions "
            f"{_quantiles(lengths['query_tokens'])}, passages {_quantiles(lengths['passage_tokens'])}; "
            f"{lengths['cut_passages']:.1%} of the passages are cut"
        )
    if "dev_rows" in facts:
        lines.append(f"compared with {facts['dev_rows']:,} rows of the development set")
    if teacher := facts.get("teacher"):
        lines.append(f"{teacher['rows']:,} rows were scored by {teacher['teacher']}")
    return lines


def _spread(values: Mapping[str, Any]) -> str:
    return f"{values['least']} / {values['median']:g} / {values['most']}"


def _quantiles(values: Mapping[str, Any]) -> str:
    return f"{values['median']:,} / {values['p95']:,} / {values['most']:,}"
