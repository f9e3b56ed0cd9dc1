"""``secondpass label``: a chat model judges the passages that the index finds for questions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import click
from rich.table import Table

from secondpass.cli.evaluate_progress import EvaluationProgress
from secondpass.cli.options import index_option, json_option
from secondpass.cli.output import console, print_json
from secondpass.cli.plain import plain
from secondpass.cli.tune_tasks import retrieve_task
from secondpass.data.collections import read_task
from secondpass.data.qrels import read_qrels
from secondpass.data.tasks import RankingTask
from secondpass.evaluate.labelling import LabellingReport, Pair, about_labels, label_pairs
from secondpass.evaluate.labelling_agreement import Agreement, compare_labels
from secondpass.evaluate.labelling_files import LABELS_SUFFIX, LabelFile, write_judgements
from secondpass.evaluate.labelling_prompts import ANSWERS_FROM, HIGHEST_GRADE
from secondpass.llm.names import open_llm
from secondpass.rerank.ranking_calls import CallOptions
from secondpass.rerank.ranking_report import Prices
from secondpass.workbench import Workbench

_DEPTH = 20


@click.command()
@click.argument("questions", metavar="QUESTIONS")
@click.option("--llm", required=True, metavar="NAME", help="The chat model that judges, such as openai:qwen-max.")
@click.option("--llm-url", metavar="URL", help="Address of the OpenAI-compatible server.")
@click.option("--out", default="qrels.tsv", show_default=True, metavar="FILE", help="Judgements in TREC's form.")
@index_option
@click.option("--retrieve", metavar="NAME@K", help="First stage of the index, and passages to judge. [default: 20]")
@click.option("--human", metavar="FILE", help="Judgements of people (qrels), to compare with.")
@click.option("--max-calls", type=click.IntRange(1), metavar="N", help="Most calls to the chat model.")
@click.option("--concurrent-calls", type=click.IntRange(1), default=CallOptions().max_concurrent_calls,
              show_default=True, metavar="N", help="Calls at a time.")  # fmt: skip
@click.option("--prices", metavar="IN,OUT", help="Price of a million tokens, for the cost.")
@json_option
def label(
    questions: str,
    llm: str,
    llm_url: str | None,
    out: str,
    index_path: str,
    retrieve: str | None,
    human: str | None,
    max_calls: int | None,
    concurrent_calls: int,
    prices: str | None,
    as_json: bool,
) -> int:
    """Have a chat model judge what the index finds for QUESTIONS, from 0 (nothing to do with it) to 3 (answers it).

    \b
    QUESTIONS are lines of {"_id", "text"} or id<TAB>text; or the folder of a task, whose lists are judged.
    secondpass label questions.jsonl --llm ollama:qwen2:7b-instruct-q4_0 --retrieve bm25@20 --out qrels.tsv
    secondpass tune --questions questions.jsonl --qrels qrels.tsv --keep-answer 0.9

    Labels are written as they come: a run that was stopped goes on. Beside FILE stands FILE.about.json, which says who
    judged. With judgements of people too, the agreement is shown. The exit code is 1 where pairs stay without a label.
    """
    task = _read(questions, index_path, retrieve)
    people = read_qrels(human) if human else task.qrels
    calls = CallOptions(concurrent_calls, max_calls, prices=Prices.parse(prices) if prices else None)
    with LabelFile(out + LABELS_SUFFIX) as file, EvaluationProgress() as progress:
        report = label_pairs(_pairs(task), open_llm(llm, llm_url), file, calls, progress)
    agreement = compare_labels(report.labels, people)
    about = about_labels(report) | {"agreement": asdict(agreement) if agreement else None}
    write_judgements(report.labels, out, about)
    if as_json:
        print_json(about | {"out": out})
    else:
        _print(report, agreement, out)
    return 1 if report.unlabelled else 0


def _read(questions: str, index_path: str, retrieve: str | None) -> RankingTask:
    if Path(questions).is_dir():
        return read_task(questions)
    with Workbench(index_path) as workbench:
        return retrieve_task(workbench, questions, retrieve, _DEPTH)


def _pairs(task: RankingTask) -> list[Pair]:
    return [
        Pair(query_id, text, candidate.doc_id, task.passages[candidate.doc_id].text)
        for query_id, text in task.queries.items()
        for candidate in task.candidates.get(query_id, ())
    ]


def _print(report: LabellingReport, agreement: Agreement | None, out: str) -> None:
    terminal = console()
    terminal.print(_grades(report.grades, agreement))
    click.echo(f"{len(report.labels):,} of {report.pairs:,} pairs have a label, {report.known:,} of them from before")
    click.echo(plain(f"{report.model}: {report.calls.summary}"))
    if report.calls.troubles:
        click.echo(plain(f"note: {report.calls.troubles}"), err=True)
    if report.cut:
        click.echo(f"note: {report.cut:,} passages were not shown to their end", err=True)
    if agreement:
        kappa = "none (one of them says the same of all)" if agreement.kappa is None else f"{agreement.kappa:.2f}"
        click.echo(
            f"with people: the same on {agreement.agreeing:.1%} of {agreement.pairs:,} pairs (model's grades from "
            f"{ANSWERS_FROM} on), Cohen's kappa {kappa}"
        )
    click.echo(plain(f"written: {out}"))


def _grades(grades: Mapping[int, int], agreement: Agreement | None) -> Table:
    """Return how often each grade was given, in all and by the grade that people gave."""
    table = Table(title="grades by the model", title_justify="left", pad_edge=False)
    table.add_column("")
    for grade in range(HIGHEST_GRADE + 1):
        table.add_column(str(grade), justify="right")
    table.add_row("all", *(f"{grades[grade]:,}" for grade in range(HIGHEST_GRADE + 1)))
    counts = {(person, model): count for person, model, count in agreement.confusion} if agreement else {}
    for person in sorted({person for person, _ in counts}):
        cells = (f"{counts.get((person, grade), 0):,}" for grade in range(HIGHEST_GRADE + 1))
        table.add_row(f"people: {person}", *cells)
    return table
