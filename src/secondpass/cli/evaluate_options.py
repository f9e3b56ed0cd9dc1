"""The options of ``secondpass evaluate``, and what they ask for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args

import click

from secondpass.cli.evaluate_tasks import TaskOptions
from secondpass.cli.options import index_option, json_option
from secondpass.cli.reranking import option as reranker_option
from secondpass.cli.reranking import reranking_from, reranking_options
from secondpass.config import MEASURED_RERANKERS
from secondpass.data.corpora import Titles
from secondpass.embed.names import open_embedder
from secondpass.evaluate.options import DEFAULT_MEASURES, EvaluationOptions, FirstStageName, Missing, Ties
from secondpass.llm.names import open_llm

Command = TypeVar("Command", bound=Callable[..., Any])
DEFAULT_WORK = ".secondpass-evaluate"

_TASKS = (
    click.argument("paths", nargs=-1, metavar="[TASK]..."),
    click.option("--split", metavar="NAME", help="Which questions of a folder. [default: test, else dev]"),
    click.option("--titles", type=click.Choice(get_args(Titles)), default="joined", show_default=True,
                 help="Titles before the text, as BEIR has them, or apart from it."),
    click.option("--run", metavar="FILE", help="A TREC run to rerank, with --qrels, --corpus and --queries."),
    click.option("--qrels", metavar="FILE", help="Judgements, as TREC or BEIR writes them."),
    click.option("--corpus", metavar="FILE", help='Passages: lines of {"_id", "text", "title"?}; .gz too.'),
    click.option("--queries", metavar="FILE", help='Questions: lines of {"_id", "text"}, or id<TAB>text.'),
    click.option("--runs", multiple=True, metavar="FILE",
                 help="TREC runs to compare as they are, with --qrels; repeat. The first is the baseline."),
    click.option("--questions", metavar="FILE",
                 help="Questions on the index, with answers or relevant files, one JSON object a line."),
    index_option,
    click.option("--retrieve", metavar="NAME@K", help="First stage of the index, and how many passages."),
    click.option("--mteb", multiple=True, metavar="NAME", help="A task of MTEB: T2Reranking, MIRACLReranking/zh ..."),
    click.option("--mteb-data", metavar="FOLDER", help="Where the data of MTEB's tasks lie, without a hub."),
)  # fmt: skip
_EXPERIMENT = (
    reranker_option("--rerank", "systems", multiple=True, default=MEASURED_RERANKERS, show_default=True,
                    metavar="NAME@N",
                    help="A system to measure; repeat for several. A cascade: 'lexical@20>OTHER@10'. bm25-only: none. "
                    "Models take their time: --sample N reads fewer questions, lexical alone is quick."),
    click.option("--first-stage", type=click.Choice(get_args(FirstStageName)),
                 help="Whose order rerankers get. [default: given where lists have a meaning, else bm25]"),
    click.option("--embedder", metavar="NAME", help="Adds the first stage dense, and its fusion with the others."),
    click.option("--measures", default=",".join(DEFAULT_MEASURES), show_default=True, metavar="A,B",
                 help="The first is the one that is drawn, and read for the questions that got worst."),
    click.option("--baseline", metavar="NAME", help="What others are held to. [default: the first stage]"),
    click.option("--sample", type=click.IntRange(1), metavar="N", help="So many questions of every task."),
    click.option("--top-k", type=click.IntRange(1), default=100, show_default=True, metavar="N",
                 help="Passages by BM25, for tasks without lists."),
    click.option("--top-n", type=click.IntRange(1), default=3, show_default=True, metavar="N",
                 help="Passages that go into a prompt, for the tokens of context."),
    click.option("--missing", type=click.Choice(get_args(Missing)), default="zero", show_default=True,
                 help="What questions without candidates count."),
    click.option("--ties", type=click.Choice(get_args(Ties)), default="given", show_default=True,
                 help="Equal scores: as the system returned them, or by name as trec_eval does."),
    click.option("--seed", type=int, default=13, show_default=True, metavar="N", help="Of samples and tests."),
    click.option("--answers", is_flag=True, help="Score answers too, where a task has reference answers."),
    click.option("--llm", metavar="NAME", help="Chat model for --answers; without one, sentences are cut out."),
    click.option("--llm-url", metavar="URL", help="Address of the OpenAI-compatible server."),
    click.option("--worst", type=click.IntRange(0), default=5, show_default=True, metavar="N",
                 help="Questions that got worst, to show of each reranker and task."),
)  # fmt: skip
_OUTPUT = (
    json_option,
    click.option("--report", metavar="FILE.html", help="Write a page with everything in it."),
    click.option("--out", metavar="FILE.json", help="Write the whole report as JSON."),
    click.option("--runs-out", metavar="FOLDER", help="Write a TREC run of every task and system."),
    click.option("--mteb-results", metavar="FOLDER", help="Write results of MTEB's tasks as mteb does."),
    click.option("--work", default=DEFAULT_WORK, show_default=True, metavar="FOLDER",
                 help="Where what was worked out is kept, to go on after a stop; may be removed at any time."),
    click.option("--fresh", is_flag=True, help="Work everything out again."),
)  # fmt: skip


def evaluation_options(command: Command) -> Command:
    """Add all options; `request_from` reads them."""
    command = reranking_options(command)
    for add in reversed((*_TASKS, *_EXPERIMENT, *_OUTPUT)):
        command = add(command)
    return command


@dataclass(frozen=True, slots=True)
class EvaluationRequest:
    """What is to be evaluated on what, and where it goes."""

    tasks: TaskOptions
    systems: tuple[str, ...]
    options: EvaluationOptions
    as_json: bool
    page: str | None
    out: str | None
    mteb_results: str | None


def request_from(values: dict[str, Any]) -> EvaluationRequest:
    """Take the options' values out of ``values``."""
    rerankers = reranking_from(values)
    tasks = TaskOptions(
        **{name: values.pop(name) for name in TaskOptions.__dataclass_fields__ if name in values},
        offline=rerankers.offline,
    )
    embedder, runs_out, work = values.pop("embedder"), values.pop("runs_out"), values.pop("work")
    llm, llm_url = values.pop("llm"), values.pop("llm_url")
    options = EvaluationOptions(
        measures=tuple(name.strip() for name in values.pop("measures").split(",") if name.strip()),
        embedder=open_embedder(embedder) if embedder else None,
        work=Path(work) if work else None,
        runs_out=Path(runs_out) if runs_out else None,
        rerankers=rerankers,
        llm=open_llm(llm, llm_url) if llm else None,
        **{name: values.pop(name) for name in EvaluationOptions.__dataclass_fields__ if name in values},
    )
    return EvaluationRequest(
        tasks=tasks,
        systems=values.pop("systems"),
        options=options,
        as_json=values.pop("as_json"),
        page=values.pop("report"),
        out=values.pop("out"),
        mteb_results=values.pop("mteb_results"),
    )
