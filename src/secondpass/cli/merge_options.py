"""Options that several commands of ``secondpass merge`` share."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args

import click

from secondpass.errors import InputError
from secondpass.merge.floats import NAMES
from secondpass.merge.merging import WriteOptions
from secondpass.merge.weights import NamedModel, parse_model
from secondpass.merge.whole_folder import check_free_name
from secondpass.models.engine import EngineName, EngineOptions, Precision
from secondpass.rerank.options import RerankerOptions

Command = TypeVar("Command", bound=Callable[..., Any])
_SIZE = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>[KMGT]?)B?", re.IGNORECASE)
_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_LEAST_SHARD = 1000


@dataclass(frozen=True, slots=True)
class Output:
    """Where the merged model goes, and how what is done is shown."""

    out: str | None
    write: WriteOptions
    dry_run: bool
    offline: bool
    quiet: bool
    as_json: bool


def models_argument(command: Command) -> Command:
    """Add the models to be merged."""
    return click.argument("models", nargs=-1, required=True, metavar="MODEL[=WEIGHT]...")(command)


_OUTPUT = (
    click.option("--out", metavar="FOLDER", help="The new folder."),
    click.option("--dtype", type=click.Choice(list(NAMES)), help="Type of the weights. [default: the first model's]"),
    click.option("--shard-size", default="5GB", show_default=True, metavar="SIZE", help="Largest weight file."),
    click.option("--dry-run", is_flag=True, help="Look at the models and say what would be done; write nothing."),
    click.option("--offline", is_flag=True, envvar="SECONDPASS_OFFLINE",
                 help="Fetch nothing. [env: SECONDPASS_OFFLINE]"),
    click.option("--quiet", "-q", is_flag=True, help="No progress."),
    click.option("--json", "as_json", is_flag=True, help="One JSON object instead of text."),
)  # fmt: skip
_SCORING = (
    click.option("--engine", type=click.Choice(get_args(EngineName)), default="auto", show_default=True,
                 help="What computes the models; auto measures the installed ones once."),
    click.option("--precision", type=click.Choice(get_args(Precision)), default="f32", show_default=True,
                 help="f32 is exact; bf16 and int8 are faster, and round."),
    click.option("--threads", type=click.IntRange(1), metavar="N", help="Cores. [default: all]"),
    click.option("--device", default="cpu", show_default=True, metavar="NAME", help="cpu or cuda."),
    click.option("--max-tokens", type=click.IntRange(8), metavar="N",
                 help="Longest input, question included. [default: the model's own]"),
    click.option("--profile", metavar="MODEL", help="Which known model these are like, if their names do not say it."),
)  # fmt: skip


def output_options(command: Command) -> Command:
    """Add the options that say what is written and shown; `output_from` reads them."""
    for add in reversed(_OUTPUT):
        command = add(command)
    return command


def scoring_options(command: Command) -> Command:
    """Add the options that say how models are computed; `scoring_from` reads them."""
    for add in reversed(_SCORING):
        command = add(command)
    return command


def output_from(values: dict[str, Any], needed: bool = True) -> Output:
    """Take what `output_options` added out of ``values``.

    Raises:
        InputError: there is no place to write to, and more than a look is asked for; or the place is taken.
    """
    shard_bytes = parse_size(values.pop("shard_size"))
    dtype = values.pop("dtype")
    output = Output(
        values.pop("out"), WriteOptions(shard_bytes, NAMES[dtype] if dtype else None), values.pop("dry_run"),
        values.pop("offline"), values.pop("quiet"), values.pop("as_json"),
    )  # fmt: skip
    if needed and not output.out and not output.dry_run:
        raise InputError(
            "Where should the merged model go? Name a new folder with --out, or look first with --dry-run."
        )
    if output.out:
        check_free_name(Path(output.out).expanduser())
    return output


def scoring_from(values: dict[str, Any], offline: bool) -> RerankerOptions:
    """Take what `scoring_options` added out of ``values``."""
    engine = EngineOptions(values.pop("engine"), values.pop("precision"), values.pop("threads"), values.pop("device"))
    return RerankerOptions(
        engine=engine, profile=values.pop("profile"), max_tokens=values.pop("max_tokens"), offline=offline
    )


def named_models(models: Sequence[str]) -> list[NamedModel]:
    """Read ``MODEL[=WEIGHT]`` each."""
    return [parse_model(model) for model in models]


def parse_size(text: str) -> int:
    """Read ``5GB`` or ``500MB`` as bytes.

    >>> parse_size("1.5GB"), parse_size("500 mb")
    (1500000000, 500000000)

    Raises:
        InputError: this is no size, or too small to be one of a file.
    """
    match = _SIZE.fullmatch(text.strip())
    size = int(float(match["number"]) * _UNITS[match["unit"].upper()]) if match else 0
    if size < _LEAST_SHARD:
        raise InputError(f"{text!r} is no size of a file; accepted are sizes such as 5GB or 500MB.")
    return size
