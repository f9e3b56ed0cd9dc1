"""``secondpass tune``: the depth, the rerankers, top_n and the lowest score that meet a wish."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import click

from secondpass.cli.evaluate_progress import EvaluationProgress
from secondpass.cli.output import console
from secondpass.cli.plain import plain
from secondpass.cli.reranking import RerankingCommand
from secondpass.cli.tune_options import TuningRequest, request_from, tuning_options
from secondpass.cli.tune_table import print_tuning
from secondpass.cli.tune_tasks import depths_of, lowest_grade, read_tuning_task
from secondpass.rerank.names import open_reranker
from secondpass.tune.files import tuning_object, write_tuning
from secondpass.tune.records import TuningReport
from secondpass.tune.tuning import tune as find_setting


@click.command(cls=RerankingCommand)
@tuning_options
def tune(**values: Any) -> int:
    """Find the setting that meets a wish, on your own questions: depth, rerankers, passages kept, lowest score.

    \b
    secondpass tune my-task --rerank lexical --rerank BAAI/bge-reranker-v2-m3 --latency 200ms
    secondpass tune --questions questions.jsonl --retrieve hybrid@50 --keep-answer 0.95 --prefer cheap
    secondpass label questions.txt --llm openai:qwen-max --out qrels.tsv
    secondpass tune --questions questions.txt --qrels qrels.tsv --keep-answer 0.9

    Every reranker reads every candidate once (scores are kept: a stopped run goes on); all settings follow by
    arithmetic. Half of the questions choose, the others say what the choice is worth. The lowest score carries a
    promise (conformal risk control), fitted on a quarter of the questions and checked on another.

    The exit code is 1 where no setting meets the wishes; the nearest one is shown.
    """
    request = request_from(values)
    report = _report(request)
    if request.out:
        write_tuning(report, request.out)
        click.echo(plain(f"written: {request.out}"), err=True)
    if request.as_json:
        click.echo(json.dumps(tuning_object(report), ensure_ascii=False, allow_nan=False))
    else:
        print_tuning(report, console())
    return 0 if report.met else 1


def _report(request: TuningRequest) -> TuningReport:
    rerankers = {name: open_reranker(name, request.rerankers) for name in request.names}
    depths = depths_of(request.tasks, request.options.depths)
    task = read_tuning_task(request.tasks, max(depths), request.rerankers)
    options = replace(request.options, depths=depths, min_grade=request.min_grade or lowest_grade(request.tasks))
    with EvaluationProgress() as progress:
        return find_setting(task, rerankers, request.wishes, options, progress)
