"""``secondpass data synthesize``: a chat model writes questions for passages; those that teach something are kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click

from secondpass.cli.data_options import say_notes
from secondpass.cli.data_progress import DataProgress
from secondpass.cli.options import json_option
from secondpass.cli.output import print_json
from secondpass.cli.plain import plain
from secondpass.cli.reranking import RerankingCommand, reranking_from, reranking_options
from secondpass.config import QUICK_RERANKER
from secondpass.data.corpus_source import CorpusSource
from secondpass.data.negative_sources import IndexSource, NegativeSource
from secondpass.data.passage_choice import Passage, askable, choose
from secondpass.data.synthesis_filters import QuestionFilter, RoundTrip
from secondpass.data.synthesis_prompts import FewShot
from secondpass.data.training_read import good_examples, open_examples
from secondpass.data.training_synthesize import SynthesizeOptions, SynthesizeReport, synthesize
from secondpass.llm.names import open_llm
from secondpass.rerank.names import open_reranker
from secondpass.text.language import language
from secondpass.types import Language
from secondpass.workbench import Workbench

_SHOTS = 4  # examples of a language that are shown; more cost tokens at every passage


@dataclass(frozen=True, slots=True)
class _Source:
    """Passages to ask about, and what finds them again."""

    passages: Iterable[Passage]
    count: int
    finds: NegativeSource


@click.command("synthesize", cls=RerankingCommand)
@click.argument("target", metavar="OUT")
@click.option("--corpus-file", metavar="FILE", help='Passages to ask about: {"_id"?, "text", "title"?} a line.')
@click.option("--index", "index_path", metavar="FOLDER", help="Or the passages of an index made by secondpass index.")
@click.option(
    "--llm", "llm_name", required=True, metavar="PROVIDER:MODEL", help="Who writes: openai:MODEL, ollama:MODEL ..."
)
@click.option("--llm-url", metavar="URL", help="The address of an OpenAI-compatible server.")
@click.option("--questions", type=click.IntRange(1, 20), default=3, show_default=True, help="For each passage.")
@click.option("--passages", "most", type=click.IntRange(1), metavar="N", help="So many, drawn by lot. [default: all]")
@click.option("--examples", metavar="FILE", help="Training data whose first rows show the model what is wanted.")
@click.option(
    "--round-trip",
    type=click.IntRange(0),
    default=3,
    show_default=True,
    metavar="K",
    help="A question's passage must come back among the first K; 0 = need not.",
)
@click.option(
    "--rerank",
    "reranker",
    default=QUICK_RERANKER,
    show_default=True,
    metavar="NAME",
    help="Orders what is found for the round trip; a model such as builtin reads it, and takes longer; none: the first "
    "stage's order.",
)
@click.option("--seed", type=int, default=13, show_default=True)
@click.option("--quiet", "-q", is_flag=True, help="No progress.")
@json_option
@reranking_options
def synthesize_command(
    target: str,
    llm_name: str,
    llm_url: str | None,
    questions: int,
    most: int | None,
    examples: str | None,
    round_trip: int,
    reranker: str,
    seed: int,
    quiet: bool,
    as_json: bool,
    **values: Any,
) -> int:
    """Have a chat model write questions for passages, and write what is kept to OUT in FlagEmbedding's form.

    Left out are questions that copy the passage, speak of "this passage", stand there already, or do not find their
    passage again. Replies are kept in OUT.questions.jsonl: an interrupted run is gone on with, and other filters need
    no new calls. Go on with: secondpass data mine OUT ...
    """  # fmt: skip
    reranking = reranking_from(values)
    llm = open_llm(llm_name, llm_url)
    options = SynthesizeOptions(questions, _few_shot(examples), reranking.calls)
    progress, left_out = DataProgress(quiet or as_json), Counter[str]()
    with _source(values, progress) as source:
        orders = None if reranker == "none" else open_reranker(reranker, reranking)
        keep = QuestionFilter(RoundTrip(source.finds, orders, round_trip) if round_trip else None)
        asked: Iterable[Passage] = askable(source.passages, left_out)
        total = source.count
        if most is not None:
            chosen = choose(asked, most, seed)
            asked, total = chosen, len(chosen)
        report = synthesize(asked, Path(target), llm, keep, options, progress, total)
    if as_json:
        print_json({**asdict(report), "left_out": dict(left_out)})
    else:
        say_notes(left_out)
        click.echo(plain(_said(report)))
    return 1 if report.unanswered else 0


def _few_shot(path: str | None) -> dict[Language, tuple[FewShot, ...]] | None:
    if path is None:
        return None
    shots: dict[Language, tuple[FewShot, ...]] = {"zh": (), "en": ()}
    for example in good_examples(open_examples(path)):
        code = language(example.query)
        if example.positives and len(shots[code]) < _SHOTS:
            shots[code] = (*shots[code], FewShot(example.positives[0], (example.query,)))
        if all(len(found) == _SHOTS for found in shots.values()):
            break
    return shots


@contextmanager
def _source(values: dict[str, Any], progress: DataProgress) -> Iterator[_Source]:
    corpus, index = values.pop("corpus_file"), values.pop("index_path")
    if bool(corpus) == bool(index):
        raise click.UsageError("Say where the passages are: --corpus-file FILE, or --index FOLDER.")
    if corpus:
        with CorpusSource(corpus, progress) as found:
            yield _Source((Passage(*one) for one in found.passages()), len(found), found)
        return
    with Workbench(index) as workbench:
        retriever, _ = workbench.retriever()
        passages = (Passage(chunk.id, chunk.text) for chunk in workbench.chunks())
        yield _Source(passages, workbench.counts()[1], IndexSource(retriever))


def _said(report: SynthesizeReport) -> str:
    calls = report.calls
    cost = f", cost {calls.cost:.4f}" if calls.cost is not None else ""
    lines = [
        f"{report.kept:,} of {report.questions:,} questions for {report.passages:,} passages kept: {report.path}",
        f"this run: {calls.calls:,} calls, {calls.prompt_tokens:,} + {calls.completion_tokens:,} tokens{cost}, "
        f"{calls.seconds:.1f} s; all runs: {report.prompt_tokens:,} + {report.completion_tokens:,} tokens",
    ]
    if report.known:
        lines.append(f"{report.known:,} passages had their questions already")
    lines += [f"{count:,} questions left out: {why}" for why, count in sorted(report.rejected.items())]
    if report.unanswered:
        lines.append(
            f"{report.unanswered:,} passages were not answered; the same command asks again ({calls.troubles})"
        )
    elif calls.troubles:
        lines.append(calls.troubles)
    return "\n".join(lines)
