"""``secondpass data mine``: hard negatives, without those that may be right."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args

import click

from secondpass.cli.data_options import opened, reading_from, reading_options, say_problems
from secondpass.cli.data_progress import DataProgress
from secondpass.cli.options import json_option
from secondpass.cli.output import print_json
from secondpass.cli.plain import plain
from secondpass.cli.reranking import RerankingCommand, reranking_from, reranking_options
from secondpass.config import RetrieveSpec
from secondpass.data.corpus_source import CorpusSource, CorpusStage
from secondpass.data.lines import STREAM
from secondpass.data.negative_filters import PERCENT_OF_POSITIVE, Margins
from secondpass.data.negative_sources import IndexSource, NegativeSource
from secondpass.data.passages import BadLine
from secondpass.data.row_miner import Choose, MineOptions
from secondpass.data.teacher import Teacher
from secondpass.data.training_mine import MineReport, mine
from secondpass.embed.names import open_embedder
from secondpass.errors import InputError
from secondpass.rerank.names import open_reranker
from secondpass.workbench import Workbench

_RANKS = re.compile(r"(\d+)-(\d+)")


@click.command("mine", cls=RerankingCommand)
@click.argument("path", metavar="FILE")
@click.argument("target", metavar="OUT")
@click.option(
    "--corpus-file", metavar="FILE", help='Passages to mine from: {"_id"?, "text", "title"?} a line; millions do.'
)
@click.option("--index", "index_path", metavar="FOLDER", help="Or an index made by secondpass index.")
@click.option(
    "--retrieve",
    metavar="NAME",
    help="bm25, dense, hybrid; an index also by colbert. [default for a file: bm25, with --embedder hybrid]",
)
@click.option("--embedder", metavar="NAME", help="For dense and hybrid on a file: openai:MODEL, a folder or a name.")
@click.option("--embedder-url", metavar="URL", help="Address of the OpenAI-compatible server of the embedder.")
@click.option("--ranks", metavar="A-B", help="Ranks of the first stage. [default: 10-50, with a teacher 1-50]")
@click.option("--negatives", type=click.IntRange(1), default=7, show_default=True, help="So many for each row.")
@click.option(
    "--choose",
    type=click.Choice(get_args(Choose)),
    default="top",
    show_default=True,
    help="The best ranked, or by lot.",
)
@click.option("--teacher", metavar="NAME", help="A reranker that scores: lexical, a model, listwise:PROVIDER/MODEL ...")
@click.option(
    "--relative-margin",
    type=float,
    default=PERCENT_OF_POSITIVE,
    show_default=True,
    help="The share of the positive's score that a negative may have; 0 = any.",
)
@click.option("--absolute-margin", type=float, metavar="X", help="How much lower its raw score must be.")
@click.option("--highest", type=float, metavar="X", help="What its raw score may be at most.")
@click.option("--replace", "replaced", is_flag=True, help="Leave out the negatives that FILE has.")
@click.option("--fill-random", is_flag=True, help="Draw what is missing from the corpus file by lot.")
@click.option(
    "--near", type=click.FloatRange(0.5, 1), default=0.8, show_default=True, help="What is nearly a positive."
)
@click.option("--seed", type=int, default=13, show_default=True)
@click.option("--quiet", "-q", is_flag=True, help="No progress.")
@reading_options
@json_option
@reranking_options
def mine_command(path: str, target: str, quiet: bool, as_json: bool, **values: Any) -> int:
    """Write FILE with hard negatives to OUT, in FlagEmbedding's form.

    A passage that the first stage ranks high becomes a negative, unless it is a positive of its question (exactly or
    nearly) or the teacher places it too near to the positive. Each negative is written with where it came from, and
    with the teacher's scores. An interrupted run is gone on with by the same command.
    """  # fmt: skip
    if path == STREAM:
        raise InputError("Mining reads its file twice; the standard input can be read only once.")
    options = _options(values)
    reading = reading_from(values)
    teacher_name = values.pop("teacher")
    reranking = reranking_from(values)
    logging.getLogger("secondpass.rerank").setLevel(logging.WARNING)  # a note for each question is too much
    teacher = Teacher(open_reranker(teacher_name, reranking)) if teacher_name else None
    progress = DataProgress(quiet or as_json)
    problems: list[BadLine] = []
    with _source(values, progress) as source:
        report = mine(opened(path, reading), source, Path(target), options, teacher, problems, progress)
    say_problems(problems)
    if as_json:
        print_json({**asdict(report), "left_out": len(problems)})
    else:
        click.echo(plain(_said(report)))
    return 1 if problems else 0


def _options(values: dict[str, Any]) -> MineOptions:
    ranks = values.pop("ranks")
    match = _RANKS.fullmatch(ranks) if ranks else None
    if ranks and not match:
        raise InputError(f"--ranks is {ranks!r}; write the first and the last rank, such as 10-50.")
    margins = Margins(values.pop("relative_margin") or None, values.pop("absolute_margin"), values.pop("highest"))
    return MineOptions(
        (int(match[1]), int(match[2])) if match else None,
        values.pop("negatives"),
        values.pop("choose"),
        margins,
        not values.pop("replaced"),
        values.pop("fill_random"),
        values.pop("near"),
        values.pop("seed"),
    )


@contextmanager
def _source(values: dict[str, Any], progress: DataProgress) -> Iterator[NegativeSource]:
    corpus, index, retrieve = values.pop("corpus_file"), values.pop("index_path"), values.pop("retrieve")
    embedder, url = values.pop("embedder"), values.pop("embedder_url")
    if bool(corpus) == bool(index):
        raise click.UsageError("Say where to mine: --corpus-file FILE, or --index FOLDER.")
    if corpus:
        stage = _stage(retrieve, embedder)
        with CorpusSource(corpus, progress, stage, open_embedder(embedder, url) if embedder else None) as source:
            yield source
        return
    if embedder or url:
        raise InputError("An index has an embedder of its own, if any; --embedder goes with --corpus-file.")
    with Workbench(index) as workbench:
        retriever, _ = workbench.retriever(RetrieveSpec.parse(retrieve) if retrieve else None)
        yield IndexSource(retriever)


def _stage(retrieve: str | None, embedder: str | None) -> CorpusStage:
    """Return how a file is searched: as it is said, else by terms, and by both where there is an embedder."""
    stages: dict[str, CorpusStage] = {name: name for name in get_args(CorpusStage)}
    stage = retrieve or ("hybrid" if embedder else "bm25")
    if stage not in stages:
        known = ", ".join(stages)
        raise InputError(f"--retrieve is {stage!r}; a file is searched by {known}, and an index by colbert too.")
    if stage == "bm25" and embedder:
        raise InputError("bm25 needs no embedder; leave --embedder out, or take --retrieve dense or hybrid.")
    return stages[stage]


def _said(report: MineReport) -> str:
    lines = [f"{report.rows:,} rows, {report.mined:,} negatives mined: {report.path}"]
    if report.known:
        lines.append(f"{report.known:,} rows were done before")
    if report.drawn:
        lines.append(f"{report.drawn:,} negatives drawn by lot")
    if report.short:
        lines.append(f"{report.short:,} rows have fewer negatives than asked for; widen --ranks, or lessen the margin")
    if report.without_positive:
        lines.append(f"{report.without_positive:,} rows left out, which have no positive")
    lines += [f"{count:,} passages not taken: {why}" for why, count in report.rejected.items() if count]
    return "\n".join(lines)
