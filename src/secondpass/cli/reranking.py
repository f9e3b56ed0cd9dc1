"""Options that say how a reranker is opened and how long it may take; every command that reranks has them."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, get_args

import click

from secondpass.cli.pace import SECONDS_BETWEEN_LINES
from secondpass.cli.plain import plain
from secondpass.models.engine import EngineName, EngineOptions, Precision
from secondpass.models.reading_choices import Skiplist, WindowUnit
from secondpass.rerank.names import opened_rerankers
from secondpass.rerank.options import RerankerOptions
from secondpass.rerank.pairs import PairReranker
from secondpass.rerank.ranking_calls import CallOptions
from secondpass.rerank.ranking_report import Prices
from secondpass.rerank.stage_settings import parse_compress
from secondpass.rerank.threshold import MinScore

Command = TypeVar("Command", bound=Callable[..., Any])
NOTED = ("secondpass.rerank", "secondpass.models")
_NOTES_OF_A_KIND = 10
_DURATION = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>ms|s)")


class RerankerOption(click.Option):
    """An option that help shows in a section of its own."""


class RerankingCommand(click.Command):
    """A command whose help shows the options of rerankers behind its own."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write both sections."""
        for title, of_rerankers in (("Options", False), ("Reranker", True)):
            options = [param for param in self.get_params(ctx) if isinstance(param, click.Option)]
            shown = [param for param in options if isinstance(param, RerankerOption) == of_rerankers]
            rows = [row for param in shown if (row := param.get_help_record(ctx))]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)


option = partial(click.option, cls=RerankerOption)
length_option = option(
    "--max-tokens", "model_tokens", type=click.IntRange(8), metavar="N",
    help="Longest input of a model, question included. [default: the model's own]",
)  # fmt: skip
profile_option = option(
    "--profile", metavar="MODEL", help="Which known model a folder holds, if its name does not say it."
)
offline_option = option(
    "--offline", is_flag=True, envvar="SECONDPASS_OFFLINE", help="Fetch nothing. [env: SECONDPASS_OFFLINE]"
)
_OPTIONS = (
    option("--min-score", metavar="SCALE=X", help="Drop what scores lower, such as log_odds=-3 or logit=-2."),
    option("--min-probability", type=click.FloatRange(0, 1), metavar="P",
           help="Drop what answers with a lower probability, such as 0.5; for rerankers that give one."),
    option("--budget", metavar="TIME", help="Best order within a time such as 200ms: lexical first, then this."),
    option("--engine", type=click.Choice(get_args(EngineName)), default="auto", show_default=True,
                 help="What computes a model; auto measures the installed ones once."),
    option("--precision", type=click.Choice(get_args(Precision)), default="f32", show_default=True,
                 help="f32 is exact; bf16 and int8 are faster, and round."),
    option("--threads", type=click.IntRange(1), metavar="N", help="Cores for a model. [default: all]"),
    option("--device", default="cpu", show_default=True, metavar="NAME", help="cpu or cuda."),
    length_option,
    option("--cut-long", is_flag=True, help="Cut long passages instead of reading them in windows."),
    option("--window-unit", type=click.Choice(get_args(WindowUnit)), default="tokens", show_default=True,
                 help="What the windows of a cross-encoder end at."),
    option("--skiplist", type=click.Choice(get_args(Skiplist)), default="checkpoint", show_default=True,
                 help="What ColBERT leaves out of a passage; chinese: Chinese punctuation, too."),
    option("--layer", type=click.IntRange(1), metavar="N",
                 help="Layer after which BGE's layerwise or lightweight model gives its score. [default: 28]"),
    option("--compress", metavar="RATIO@LAYERS",
                 help="Tokens that BGE's lightweight model makes one, and before which layers. [default: 2@24,40]"),
    option("--instruction", metavar="TEXT", help="What the task is, for models that take an instruction."),
    profile_option,
    option("--rerank-url", metavar="URL", help="Server of a hosted reranker, or of a chat model that ranks."),
    option("--ranking-runs", type=click.IntRange(1), default=1, show_default=True, metavar="N",
                 help="Times that a chat model ranks, each in another order; one order is made of all."),
    option("--max-calls", type=click.IntRange(1), metavar="N", help="Most calls to a chat model a question."),
    option("--concurrent-calls", type=click.IntRange(1), default=CallOptions().max_concurrent_calls, show_default=True,
                 metavar="N", help="Calls to a chat model at a time."),
    option("--prices", metavar="IN,OUT", help="Price of a million tokens of a chat model, for the cost of a ranking."),
    offline_option,
    option("--score-cache", metavar="FILE", help="Keep scores in this file and do not compute them again."),
)  # fmt: skip


def reranking_options(command: Command) -> Command:
    """Add the options that say how rerankers are opened; `reranking_from` reads them."""
    for add in reversed(_OPTIONS):
        command = add(command)
    return command


def reranking_from(values: dict[str, Any]) -> RerankerOptions:
    """Take the options' values out of ``values``, and let notes be seen; the last ones come when the command ends."""
    show_notes()
    click.get_current_context().call_on_close(say_what_was_read)
    engine = EngineOptions(values.pop("engine"), values.pop("precision"), values.pop("threads"), values.pop("device"))
    prices = values.pop("prices")
    calls = CallOptions(
        max_concurrent_calls=values.pop("concurrent_calls"),
        max_calls=values.pop("max_calls"),
        prices=Prices.parse(prices) if prices else None,
    )
    min_score = _lowest(values.pop("min_score"), values.pop("min_probability"))
    budget, cache, compress = (values.pop(name) for name in ("budget", "score_cache", "compress"))
    return RerankerOptions(
        engine=engine,
        profile=values.pop("profile"),
        max_tokens=values.pop("model_tokens"),
        cut_long=values.pop("cut_long"),
        instruction=values.pop("instruction"),
        url=values.pop("rerank_url"),
        offline=values.pop("offline"),
        cache=Path(cache) if cache else None,
        min_score=min_score,
        budget_seconds=parse_duration(budget) if budget else None,
        calls=calls,
        ranking_runs=values.pop("ranking_runs"),
        window_unit=values.pop("window_unit"),
        skiplist=values.pop("skiplist"),
        layer=values.pop("layer"),
        compress=parse_compress(compress) if compress else None,
    )


def _lowest(min_score: str | None, min_probability: float | None) -> MinScore | None:
    """Return the lowest score to keep; ``--min-probability P`` is short for ``--min-score probability=P``."""
    if min_score and min_probability is not None:
        raise click.UsageError("--min-score and --min-probability both say what to drop; give one of them.")
    if min_probability is not None:
        return MinScore(min_probability, "probability")
    return MinScore.parse(min_score) if min_score else None


class NoteHandler(logging.Handler):
    """Say on standard error what the rooms of reranking have to say: the engine, what was cut, repaired or known.

    Of notes of one kind the first ten are shown, and then one every five seconds: a file may hold a million jobs.
    """

    def __init__(self) -> None:
        super().__init__()
        self._shown: dict[str, tuple[int, float]] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Print one note."""
        count, last = self._shown.get(record.msg, (0, 0.0))
        now = time.monotonic()
        if count >= _NOTES_OF_A_KIND and now - last < SECONDS_BETWEEN_LINES:
            return
        self._shown[record.msg] = (count + 1, now)
        few = " (from now on, notes of this kind come every five seconds)" if count + 1 == _NOTES_OF_A_KIND else ""
        click.echo(plain(f"note: {record.getMessage()}{few}"), err=True)


def say_what_was_read() -> None:
    """Say of each reranker how many scores were known, and how many passages were long or cut."""
    for reranker in opened_rerankers():
        if not isinstance(reranker, PairReranker) or not reranker.counts.passages:
            continue
        counts = reranker.counts
        said = []
        if reranker.has_cache:
            said.append(f"{counts.known:,} of {counts.passages:,} scores were known")
        if counts.in_windows:
            said.append(f"{counts.in_windows:,} of {counts.passages:,} passages were long and read in windows")
        if counts.truncated:
            said.append(f"{counts.truncated:,} of {counts.passages:,} passages were not read whole")
        if said:
            click.echo(plain(f"note: {reranker.name}: {'; '.join(said)}"), err=True)


def show_notes() -> None:
    """Let notes of this command be seen."""
    for name in NOTED:
        logger = logging.getLogger(name)
        logger.setLevel(logging.INFO)
        logger.propagate = False
        logger.handlers = [NoteHandler()]


def parse_duration(text: str) -> float:
    """Read ``200ms`` or ``1.5s`` as seconds."""
    match = _DURATION.fullmatch(text.strip())
    if not match or not float(match["number"]):
        raise click.BadParameter(f"{text!r} is no time; write milliseconds or seconds, such as 200ms or 1.5s.")
    return float(match["number"]) / (1000 if match["unit"] == "ms" else 1)
