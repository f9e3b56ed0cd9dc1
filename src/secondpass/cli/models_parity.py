"""``secondpass models parity``: every engine and precision on the same passages, beside the exact scores."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any, get_args

import click
from rich.table import Table

from secondpass.cli.model_choice import ChosenModel, with_model
from secondpass.cli.options import json_option
from secondpass.cli.output import console, print_json, shown
from secondpass.cli.plain import plain
from secondpass.data.passages import BadLine, read_jobs
from secondpass.errors import InputError, MissingExtraError
from secondpass.models.engine import EngineName, EngineOptions, Precision
from secondpass.models.engines import installed_engines


@click.command("parity")
@click.argument("name")
@click.option("--engine", type=click.Choice(get_args(EngineName)), default="auto", help="Only this one. [default: all]")
@click.option("--precision", type=click.Choice(get_args(Precision)), multiple=True, help="Only this; may be repeated.")
@click.option("--pairs", metavar="FILE", help='Your own: lines of {"query": ..., "passages": [{"text": ...}]}.')
@click.option("--threads", type=click.IntRange(1), metavar="N", help="Cores. [default: all]")
@with_model
@json_option
def parity_command(
    chosen: ChosenModel, engine: EngineName, precision: tuple[Precision, ...], pairs: str | None, threads: int | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Score the same passages with every installed engine and precision, and compare with exact scores.

    Without --pairs, twelve questions with twelve passages each are used, Chinese and English; int8 was calibrated on
    the same texts. Tau and the ten best are means over the questions; speed is wall time on this machine, now.
    """
    if not installed_engines():
        raise MissingExtraError("Comparing engines", "onnx")
    comparison = importlib.import_module("secondpass.models.engine_comparison")
    model = comparison.reranking_encoder(chosen.source.folder, chosen.profile, chosen.max_tokens)
    jobs = _own_jobs(pairs) if pairs else comparison.shipped_jobs()
    results = []
    for result in comparison.compare_engines(model, jobs, EngineOptions(engine, threads=threads), precision):
        if not as_json:
            click.echo(plain(f"{result.engine} {result.precision}: {result.refusal or 'done'}"), err=True)
        results.append(_row(result))
    if as_json:
        print_json(results)
        return
    count = sum(len(passages) for _, passages in jobs)
    console().print(_table(results, f"{chosen.source.name}: {count} pairs of {len(jobs)} questions"))


def _own_jobs(path: str) -> list[tuple[str, list[str]]]:
    jobs = []
    for job in read_jobs(path):
        if isinstance(job, BadLine):
            raise InputError(job.reason)
        texts = ["\n".join(part for part in (one.get("title"), one["text"]) if part) for one in job.passages]
        texts = [text for text in texts if text.strip()]
        if texts and job.query.strip():
            jobs.append((job.query, texts))
    if not jobs:
        raise InputError(f"{path} holds no question with passages that have a text; there is nothing to compare.")
    return jobs


def _row(result: Any) -> dict[str, Any]:
    row = {"engine": result.engine, "precision": result.precision, "reference": result.is_reference}
    if result.parity is None:
        return {**row, "refusal": result.refusal}
    parity = result.parity
    return {
        **row,
        "tokens_per_second": result.tokens_per_second,
        "max_difference": parity.max_difference,
        "spread": parity.spread,
        "difference_by_spread": parity.max_difference / parity.spread if parity.spread else 0.0,
        "kendall_tau": parity.kendall_tau,
        "top10_overlap": parity.top10_overlap,
    }


def _table(results: Sequence[dict[str, Any]], title: str) -> Table:
    table = Table(title=plain(title), title_justify="left", pad_edge=False)
    for column in ("engine", "precision", "tokens/s", "max difference", "/ spread", "tau", "same top 10"):
        table.add_column(column, justify="left" if column in {"engine", "precision"} else "right")
    for row in results:
        if "refusal" in row:
            table.add_row(row["engine"], row["precision"], "cannot", "–", "–", "–", "–", style="dim")
            continue
        table.add_row(
            shown(row["engine"] + (" (reference)" if row["reference"] else "")),
            row["precision"],
            f"{row['tokens_per_second']:,.0f}",
            f"{row['max_difference']:.1e}",
            f"{row['difference_by_spread']:.1e}",
            f"{row['kendall_tau']:.3f}",
            f"{row['top10_overlap']:.0%}",
        )
    return table
