"""Options that say how a reranker is opened and how long it may take; every command that reranks has them."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, get_args

import click

from secondpass.cli.plain import plain
from secondpass.models.engine import EngineName, EngineOptions, Precision
from secondpass.rerank.options import RerankerOptions
from secondpass.rerank.threshold import MinScore

Command = TypeVar("Command", bound=Callable[..., Any])
NOTED = ("secondpass.rerank", "secondpass.models")
_DURATION = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>ms|s)")

_OPTIONS = (
    click.option("--min-score", metavar="SCALE=X", help="Drop what scores lower, such as probability=0.5 or logit=-2."),
    click.option("--budget", metavar="TIME", help="Best order within a time such as 200ms: lexical first, then this."),
    click.option("--engine", type=click.Choice(get_args(EngineName)), default="auto", show_default=True,
                 help="What computes a model; auto measures the installed ones once."),
    click.option("--precision", type=click.Choice(get_args(Precision)), default="f32", show_default=True,
                 help="f32 is exact; bf16 and int8 are faster, and round."),
    click.option("--threads", type=click.IntRange(1), metavar="N", help="Cores for a model. [default: all]"),
    click.option("--device", default="cpu", show_default=True, metavar="NAME", help="cpu or cuda."),
    click.option("--max-tokens", "model_tokens", type=click.IntRange(8), metavar="N",
                 help="Longest input of a model, question included. [default: the model's own]"),
    click.option("--cut-long", is_flag=True, help="Cut long passages instead of reading them in windows."),
    click.option("--instruction", metavar="TEXT", help="What the task is, for models that take an instruction."),
    click.option("--profile", metavar="MODEL", help="Which known model a folder holds, if its name does not say it."),
    click.option("--rerank-url", metavar="URL", help="Server of a hosted reranker, or of a chat model that ranks."),
    click.option("--offline", is_flag=True, envvar="SECONDPASS_OFFLINE",
                 help="Fetch nothing. [env: SECONDPASS_OFFLINE]"),
    click.option("--score-cache", metavar="FILE", help="Keep scores in this file and do not compute them again."),
)  # fmt: skip


def reranking_options(command: Command) -> Command:
    """Add the options that say how rerankers are opened; `reranking_from` reads them."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def reranking_from(values: dict[str, Any]) -> RerankerOptions:
    """Take the options' values out of ``values``, and let notes be seen."""
    show_notes()
    engine = EngineOptions(values.pop("engine"), values.pop("precision"), values.pop("threads"), values.pop("device"))
    min_score, budget, cache = values.pop("min_score"), values.pop("budget"), values.pop("score_cache")
    return RerankerOptions(
        engine=engine,
        profile=values.pop("profile"),
        max_tokens=values.pop("model_tokens"),
        cut_long=values.pop("cut_long"),
        instruction=values.pop("instruction"),
        url=values.pop("rerank_url"),
        offline=values.pop("offline") or os.environ.get("HF_HUB_OFFLINE", "0") not in ("", "0"),
        cache=Path(cache) if cache else None,
        min_score=MinScore.parse(min_score) if min_score else None,
        budget_seconds=parse_duration(budget) if budget else None,
    )


class NoteHandler(logging.Handler):
    """Say on standard error what the rooms of reranking have to say: the engine, what was cut, repaired or known."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print one note."""
        click.echo(plain(f"note: {record.getMessage()}"), err=True)


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
