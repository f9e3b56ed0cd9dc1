"""``secondpass train``: a reranker fine-tuned on one's own data, and told whether it got better."""

from __future__ import annotations

import dataclasses
import importlib
import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any, get_type_hints

import click

from secondpass.cli.options import json_option
from secondpass.cli.output import console, print_json
from secondpass.cli.plain import plain
from secondpass.cli.train_progress import TrainProgress
from secondpass.cli.train_table import outcome_parts
from secondpass.errors import InputError, MissingExtraError
from secondpass.train.flagembedding_options import from_flags, is_flagembedding
from secondpass.train.foreign_options import Translated
from secondpass.train.options import CHOICES, TrainOptions, as_toml, make_options, read_options

_NEEDED = ("torch", "transformers", "accelerate", "safetensors", "tokenizers")
_AUTOTRAIN = (".yaml", ".yml")


class TrainCommand(click.Command):
    """Shows every option of a run below the command's own, from the fields that define them."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, then those of a run."""
        super().format_options(ctx, formatter)
        kinds = get_type_hints(TrainOptions)
        rows = []
        for known in dataclasses.fields(TrainOptions):
            choices = f" {', '.join(CHOICES[known.name])}." if known.name in CHOICES else ""
            default = known.default if known.default != "" else "none"
            shown = str(default).lower() if kinds[known.name] is bool else default
            rows.append((known.name, f"{known.metadata['help']}{choices}  [default: {shown}]"))
        with formatter.section("Options of a run, in CONFIG.toml or by --set NAME=VALUE"):
            formatter.write_dl(rows)


@click.command(
    "train", cls=TrainCommand, context_settings={"ignore_unknown_options": True, "allow_extra_args": True}
)  # fmt: skip
@click.argument("config", required=False, metavar="[CONFIG]")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="An option of the run; wins over CONFIG.")
@click.option("--resume", is_flag=True, help="Go on with the run that was stopped.")
@click.option("--show", is_flag=True, help="Print the options that would be used, as a file for CONFIG, and stop.")
@click.option("--quiet", "-q", is_flag=True, help="No progress.")
@json_option
@click.pass_context
def train(
    ctx: click.Context,
    config: str | None,
    settings: tuple[str, ...],
    resume: bool,
    show: bool,
    quiet: bool,
    as_json: bool,
) -> int:
    """Fine-tune a reranker on your own data, and say whether it got better.

    Cross-encoders, language models (all weights, or LoRA) and late-interaction models; from embedders, too.

    \b
    secondpass train configs/train-groups.toml
    secondpass train configs/train-causal-lora.toml
    secondpass train --set model=my-reranker --set train=train.jsonl --set dev=dev.jsonl --set output=tuned
    torchrun --nproc_per_node 2 -m secondpass train config.toml

    CONFIG is a TOML file, or an AutoTrain file (.yaml). FlagEmbedding's flags (--model_name_or_path, --train_data,
    --train_group_size ...) are understood too. Checkpoints and metrics lie beside the output, in OUTPUT.run; after a
    kill or Ctrl-C the same command with --resume goes on. Exit code 1 where nothing was learned, or it got worse.
    """
    options, notes = _options(config, settings, tuple(ctx.args))
    if show:
        click.echo(as_toml(options))
        return 0
    if missing := [name for name in _NEEDED if find_spec(name) is None]:
        raise MissingExtraError(f"Training ({', '.join(missing)})", "train")
    runs: Any = importlib.import_module("secondpass.train.run")
    with TrainProgress(quiet or as_json) as progress:
        progress.notes(notes)
        outcome = runs.run_training(options, progress.hear, resume, progress.checked)
    if outcome is None:  # one of several processes; the first one speaks
        return 0
    if as_json:
        print_json(runs.outcome_record(outcome))
    else:
        for part in outcome_parts(outcome):
            console().print(part)
    return 1 if outcome.failed else 0


def _options(
    config: str | None, settings: tuple[str, ...], flags: tuple[str, ...]
) -> tuple[TrainOptions, tuple[str, ...]]:
    """Return the options of all sources, and notes on what was translated."""
    if config is not None and config.startswith("-"):  # click hands the first unknown flag to the argument
        flags, config = (config, *flags), None
    found = Translated()
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    if flags:
        if config is not None or not is_flagembedding(flags):
            raise click.UsageError(f"No such option or argument: {plain(flags[0])}. Options of a run go by --set.")
        found = from_flags(flags, processes)
    elif config is not None and Path(config).suffix.lower() in _AUTOTRAIN:
        if find_spec("yaml") is None:
            raise MissingExtraError("An AutoTrain file", "train")
        autotrain: Any = importlib.import_module("secondpass.train.autotrain_options")
        found = autotrain.from_autotrain(Path(config), processes)
    else:
        return read_options(config, settings), ()
    given = dict(_setting(one) for one in settings)
    return make_options({**found.values, **given}, config or "FlagEmbedding's flags"), tuple(found.notes)


def _setting(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise InputError(f"--set {text!r} is no setting; write name=value, such as learning_rate=2e-5.")
    return name.strip(), value.strip()
