"""``secondpass merge mix``, ``slerp``, ``ties`` and ``dare``: merges whose weights are given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, get_args

import click

from secondpass.cli.merge_options import Output, models_argument, named_models, output_from, output_options
from secondpass.cli.merge_output import run_merge
from secondpass.errors import InputError
from secondpass.merge.merging import plan_merge
from secondpass.merge.methods import MergeMethod, Mix, Slerp
from secondpass.merge.parents import open_parent
from secondpass.merge.task_vectors import Dare, SignRule, Ties, TrimScope
from secondpass.merge.weights import NamedModel, given_weights

Command = TypeVar("Command", bound=Callable[..., Any])

_normalize = click.option("--normalize", is_flag=True, help="Divide the weights by their sum.")
_base = click.option("--base", metavar="MODEL", required=True, help="What all models were fine-tuned from.")
_scale = click.option("--scale", type=float, default=1.0, show_default=True, metavar="X",
                      help="How much of what was learned is added to the base.")  # fmt: skip


@click.command("mix")
@models_argument
@_normalize
@output_options
def mix_command(models: tuple[str, ...], normalize: bool, **values: Any) -> int:
    """Write the weighted mean of any number of models (LM-Cocktail, arXiv:2311.13534).

    \b
    secondpass merge mix my-base=0.3 my-tuned=0.7 --out merged

    Weights sum to 1; without any, all models count the same. The classification head is mixed like every tensor.
    Settings and tokenizer are those of the first model. LoRA adapters of one model may have any ranks: the updates are
    added up, exactly.
    """
    output = output_from(values)
    named = named_models(models)
    return _run(named, Mix(given_weights(named, normalize)), None, output)


@click.command("slerp")
@models_argument
@click.option("--position", type=click.FloatRange(0, 1), metavar="T",
              help="Where on the arc: 0 is the first model, 1 the second. [default: 0.5]")  # fmt: skip
@output_options
def slerp_command(models: tuple[str, ...], position: float | None, **values: Any) -> int:
    """Write the point at --position of the arc between two models, tensor by tensor.

    Instead of a position, weights that sum to 1 may stand beside the models: A=0.3 B=0.7 is the position 0.7.
    """
    output = output_from(values)
    named = named_models(models)
    if len(named) != 2:
        raise InputError(f"slerp goes from one model to another; {len(named)} are named. Mix more with `merge mix`.")
    if position is not None and any(model.weight is not None for model in named):
        raise InputError("Give weights beside the models, or --position, not both.")
    weights = given_weights(named)
    if min(weights) < 0:
        raise InputError("slerp takes weights from 0 to 1.")
    return _run(named, Slerp(weights[1] if position is None else position), None, output)


@click.command("ties")
@models_argument
@_base
@click.option("--density", type=click.FloatRange(0, 1, min_open=True), default=0.2, show_default=True, metavar="X",
              help="Share of what each model learned that is kept, the largest changes.")  # fmt: skip
@click.option("--trim", "scope", type=click.Choice(get_args(TrimScope)), default="model", show_default=True,
              help="Largest of the whole model, as in the paper, or of each tensor.")  # fmt: skip
@_scale
@_normalize
@output_options
def ties_command(models: tuple[str, ...], base: str, density: float, scope: TrimScope, scale: float, normalize: bool,
                 **values: Any) -> int:  # fmt: skip
    """Merge what models learned over --base: trim, elect signs, mean of those that agree (TIES, arXiv:2306.01708)."""
    output = output_from(values)
    named = named_models(models)
    return _run(named, Ties(_positive(given_weights(named, normalize)), density, scale, scope), base, output)


@click.command("dare")
@models_argument
@_base
@click.option("--drop", type=click.FloatRange(0, 1, max_open=True), default=0.9, show_default=True, metavar="P",
              help="Share of what each model learned that is dropped by chance; the rest is scaled up.")  # fmt: skip
@click.option("--signs", type=click.Choice(get_args(SignRule)), default="none", show_default=True,
              help="ties: the mean of what agrees with the elected sign, instead of the sum.")  # fmt: skip
@click.option("--seed", type=click.IntRange(0), default=13, show_default=True, metavar="N",
              help="The same seed gives the same model.")  # fmt: skip
@_scale
@_normalize
@output_options
def dare_command(models: tuple[str, ...], base: str, drop: float, signs: SignRule, seed: int, scale: float,
                 normalize: bool, **values: Any) -> int:  # fmt: skip
    """Merge what models learned over --base, most of it dropped by chance (DARE, arXiv:2311.03099)."""
    output = output_from(values)
    named = named_models(models)
    weights = given_weights(named, normalize)
    return _run(named, Dare(_positive(weights) if signs == "ties" else weights, drop, scale, seed, signs), base, output)


def _positive(weights: tuple[float, ...]) -> tuple[float, ...]:
    if min(weights) <= 0:
        raise InputError("Signs are elected by weights above 0; leave out a model that should not count.")
    return weights


def _run(named: list[NamedModel], method: MergeMethod, base: str | None, output: Output) -> int:
    parents = tuple(open_parent(model.name, output.offline) for model in named)
    opened_base = open_parent(base, output.offline) if base else None
    return run_merge(plan_merge(parents, method, opened_base, output.write), output)
