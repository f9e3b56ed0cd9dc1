"""The options of ``secondpass tune``, and what they ask for."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar, get_args

import click

from secondpass.cli.evaluate_options import DEFAULT_WORK
from secondpass.cli.evaluate_tasks import TaskOptions
from secondpass.cli.options import index_option, json_option
from secondpass.cli.reranking import option as reranker_option
from secondpass.cli.reranking import parse_duration, reranking_from, reranking_options
from secondpass.config import MEASURED_RERANKERS, STEPS
from secondpass.data.corpora import Titles
from secondpass.embed.names import open_embedder
from secondpass.errors import InputError
from secondpass.evaluate.options import FirstStageName
from secondpass.rerank.names import check_name
from secondpass.rerank.options import RerankerOptions
from secondpass.rerank.stage_settings import format_compress
from secondpass.tune.grid import DEPTHS
from secondpass.tune.records import Preference, Wishes
from secondpass.tune.tuning import TuningOptions

Command = TypeVar("Command", bound=Callable[..., Any])
_DEPTH = re.compile(r"@(\d+|all)$")

_TASKS = (
    click.argument("paths", nargs=-1, metavar="[TASK]"),
    click.option("--questions", metavar="FILE", help="Questions on the index, one JSON object a line: with answers or "
                 "relevant files, or with --qrels."),
    index_option,
    click.option("--retrieve", metavar="NAME@K", help="First stage of the index, and the most passages to try; "
                 "bm25@100 also searches a TASK, instead of its lists. [default: the deepest of --depths]"),
    click.option("--qrels", metavar="FILE", help="Judgements, of people or of `secondpass label`."),
    click.option("--run", metavar="FILE", help="A TREC run to rerank, with --qrels, --corpus and --queries."),
    click.option("--corpus", metavar="FILE", help='Passages: lines of {"_id", "text", "title"?}; .gz too.'),
    click.option("--queries", metavar="FILE", help='Questions: lines of {"_id", "text"}, or id<TAB>text.'),
    click.option("--mteb", multiple=True, metavar="NAME", help="A task of MTEB, such as T2Reranking."),
    click.option("--mteb-data", metavar="FOLDER", help="Where the data of MTEB's tasks lie, without a hub."),
    click.option("--split", metavar="NAME", help="Which questions of a folder. [default: test, else dev]"),
    click.option("--titles", type=click.Choice(get_args(Titles)), default="joined", show_default=True,
                 help="Titles before the text, as BEIR has them, or apart from it."),
    click.option("--first-stage", type=click.Choice(get_args(FirstStageName)),
                 help="What orders a task's lists. [default: given where their order means something, else bm25]"),
    click.option("--embedder", metavar="NAME", help="For --first-stage dense."),
    click.option("--min-grade", type=click.IntRange(1), metavar="N",
                 help="The lowest grade that holds the answer. [default: 2 of a model's labels, else 1]"),
)  # fmt: skip
_WISHES = (
    click.option("--latency", metavar="TIME", help="95 of 100 questions are reranked within it, such as 200ms."),
    click.option("--keep-answer", type=float, metavar="SHARE",
                 help="Share of answerable questions whose kept passages hold the answer, such as 0.95."),
    click.option("--context-tokens", type=click.FloatRange(min=1), metavar="N", help="Most tokens kept, in the mean."),
    click.option("--alpha", type=float, metavar="SHARE",
                 help="A threshold may lose so many of the answers that it is given. [default: 0.05, offered only]"),
    click.option("--prefer", type=click.Choice(get_args(Preference)), default="quality", show_default=True,
                 help="As good as the best and cheap, or the cheapest that meets the wishes."),
    click.option("--depths", metavar="A,B", default=",".join(map(str, DEPTHS)), show_default=True,
                 help="First-stage depths to try."),
)  # fmt: skip
_RERANK = reranker_option(
    "--rerank",
    "names",
    multiple=True,
    default=MEASURED_RERANKERS,
    show_default=True,
    metavar="NAME",
    help="A reranker to try, without @N; repeat for cascades of two. Models take their time: lexical alone is quick.",
)
_OUTPUT = (
    json_option,
    click.option("--out", metavar="FILE", help="Write everything as JSON, or the setting alone as FILE.toml."),
)


def tuning_options(command: Command) -> Command:
    """Add all options; `request_from` reads them."""
    command = _RERANK(reranking_options(command))
    for add in reversed((*_TASKS, *_WISHES, *_OUTPUT)):
        command = add(command)
    return command


@dataclass(frozen=True, slots=True)
class TuningRequest:
    """What is to be tuned on what, and where it goes."""

    tasks: TaskOptions
    names: tuple[str, ...]
    wishes: Wishes
    options: TuningOptions
    min_grade: int | None
    rerankers: RerankerOptions
    as_json: bool
    out: str | None


def request_from(values: dict[str, Any]) -> TuningRequest:
    """Take the options' values out of ``values``.

    Raises:
        InputError: a value cannot be used here.
    """
    if values["min_score"] or values["budget"]:
        raise InputError("tune finds the lowest score and the time by itself; leave --min-score and --budget out.")
    rerankers = reranking_from(values)
    latency, embedder = values.pop("latency"), values.pop("embedder")
    tasks = {name: values[name] for name in TaskOptions.__dataclass_fields__ if name in values}
    return TuningRequest(
        tasks=TaskOptions(**tasks, runs=(), offline=rerankers.offline),
        names=_names(values["names"]),
        wishes=Wishes(
            latency_seconds=parse_duration(latency) if latency else None,
            keep_answer=values["keep_answer"],
            context_tokens=values["context_tokens"],
            alpha=values["alpha"],
            prefer=values["prefer"],
        ),
        options=TuningOptions(
            first_stage=values["first_stage"],
            embedder=open_embedder(embedder) if embedder else None,
            depths=_depths(values["depths"]),
            command_options=_spoken(rerankers),
        ),
        min_grade=values["min_grade"],
        rerankers=replace(rerankers, cache=rerankers.cache or Path(DEFAULT_WORK) / "scores.sqlite"),
        as_json=values["as_json"],
        out=values["out"],
    )


def _names(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if depth := _DEPTH.search(name):
            raise InputError(f"--rerank is {name!r}; tune finds the depth by itself: write {name[: depth.start()]!r}.")
        if name in STEPS:
            raise InputError(f"--rerank is {name!r}, which gives no scores; tune the rerankers, and add it afterwards.")
        check_name(name)
    return tuple(dict.fromkeys(names))


def _depths(text: str) -> tuple[int, ...]:
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() and int(part) for part in parts):
        raise InputError(f"--depths is {text!r}; write whole numbers from 1 on, such as 10,20,50.")
    return tuple(int(part) for part in parts)


def _spoken(rerankers: RerankerOptions) -> tuple[str, ...]:
    """Return the options that scores and times depend on, as a command has them."""
    plain, engine = RerankerOptions(), rerankers.engine
    said = {
        "--engine": engine.name != plain.engine.name and engine.name,
        "--precision": engine.precision != plain.engine.precision and engine.precision,
        "--threads": engine.threads,
        "--device": engine.device != plain.engine.device and engine.device,
        "--max-tokens": rerankers.max_tokens,
        "--window-unit": rerankers.window_unit != plain.window_unit and rerankers.window_unit,
        "--skiplist": rerankers.skiplist != plain.skiplist and rerankers.skiplist,
        "--layer": rerankers.layer,
        "--compress": rerankers.compress and format_compress(*rerankers.compress),
        "--instruction": rerankers.instruction,
        "--profile": rerankers.profile,
        "--rerank-url": rerankers.url,
    }
    spoken = [part for name, value in said.items() if value for part in (name, str(value))]
    return (*spoken, *(["--cut-long"] if rerankers.cut_long else []))
