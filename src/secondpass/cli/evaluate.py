"""``secondpass evaluate``: does a reranker help, by how much, and at what price."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from secondpass.cli.evaluate_options import EvaluationRequest, evaluation_options, request_from
from secondpass.cli.evaluate_progress import EvaluationProgress
from secondpass.cli.evaluate_table import print_report
from secondpass.cli.evaluate_tasks import compared_runs, read_tasks, task_sources
from secondpass.cli.output import console
from secondpass.cli.plain import plain
from secondpass.cli.reranking import RerankingCommand
from secondpass.data.tasks import RankingTask
from secondpass.evaluate.experiment import System
from secondpass.evaluate.experiment import evaluate as evaluate_systems
from secondpass.evaluate.records import Report
from secondpass.evaluate.report_files import report_object, write_report_json


@click.command(cls=RerankingCommand)
@evaluation_options
def evaluate(**values: Any) -> int:
    """Measure rerankers on TASKS: the same candidates for each, with intervals, tests and costs.

    \b
    A task is a folder with corpus.jsonl, queries.jsonl and qrels (BEIR's form, perhaps with candidates.jsonl),
    a folder of such folders, or a JSONL file of labelled lists. Every table holds a random order, the first
    stages, their untrained fusion, the rerankers, and the ceiling: the best order that the candidates allow.

    \b
    secondpass evaluate my-task --rerank lexical@10 --rerank "lexical@20>BAAI/bge-reranker-v2-m3@10"
    secondpass evaluate --questions questions.jsonl --retrieve hybrid@50 --rerank BAAI/bge-reranker-v2-m3
    secondpass evaluate --runs a.trec --runs b.trec --qrels qrels.tsv

    Unlike elsewhere, several --rerank are several systems, and one without @N keeps everything. What was worked out is
    kept in --work: an evaluation that was stopped goes on where it was.
    """
    request = request_from(values)
    try:
        report = _report(request)
    except KeyboardInterrupt:
        kept = request.options.work
        if kept:
            click.echo(plain(f"\nwhat was worked out is kept in {kept}: the same command goes on from there"), err=True)
        raise
    _write(report, request)
    return 0


def _report(request: EvaluationRequest) -> Report:
    """Run the experiment; runs that are compared are a task of their own."""
    tasks: Iterable[RankingTask] = read_tasks(task_sources(request.tasks, request.options.rerankers))
    systems: Sequence[System] = request.systems
    options = request.options
    if request.tasks.runs:
        pool, runs = compared_runs(request.tasks)
        tasks, systems = [pool], runs
        options = replace(options, baseline=options.baseline or runs[0].name)
    with EvaluationProgress() as progress:
        return evaluate_systems(tasks, systems, options, progress)


def _write(report: Report, request: EvaluationRequest) -> None:
    if request.out:
        write_report_json(report, request.out)
        click.echo(plain(f"written: {request.out}"), err=True)
    if request.page:
        page: Any = importlib.import_module("secondpass.report.page")
        page.write_page(report, Path(request.page))
        click.echo(plain(f"written: {request.page}"), err=True)
    if request.mteb_results:
        results: Any = importlib.import_module("secondpass.evaluate.mteb_reports")
        revision = "local" if request.tasks.mteb_data else None
        for path in results.write_mteb_reports(report, Path(request.mteb_results), request.tasks.mteb, revision):
            click.echo(plain(f"written: {path}"), err=True)
    if request.options.runs_out:
        click.echo(plain(f"written: runs in {request.options.runs_out}"), err=True)
    if request.as_json:
        click.echo(json.dumps(report_object(report), ensure_ascii=False, allow_nan=False))
    else:
        print_report(report, console())
