"""``secondpass merge cocktail``: a mix whose weights come from how well each model does on a few examples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import click
from rich.table import Table

from secondpass.cli.merge_options import (
    models_argument,
    named_models,
    output_from,
    output_options,
    scoring_from,
    scoring_options,
)
from secondpass.cli.merge_output import run_merge
from secondpass.cli.output import console, shown
from secondpass.cli.reranking import show_notes
from secondpass.data.training import TrainExample
from secondpass.data.training_read import good_examples, open_examples
from secondpass.errors import InputError
from secondpass.merge.losses import LossOptions, ModelLoss, model_loss
from secondpass.merge.merging import plan_merge
from secondpass.merge.methods import Mix
from secondpass.merge.parents import Parent, open_parent
from secondpass.merge.weights import TEMPERATURE, cocktail_weights
from secondpass.types import Json


@click.command("cocktail")
@models_argument
@click.option("--examples", "path", required=True, metavar="FILE",
              help="Questions with passages that answer and some that do not; any form of training data.")  # fmt: skip
@click.option("--temperature", type=float, default=TEMPERATURE, show_default=True, metavar="T",
              help="Weights are softmax(-loss / T): at 5, losses that differ by 1 give 0.55 and 0.45; at 0.5, 0.88 and "
              "0.12.")  # fmt: skip
@scoring_options
@output_options
def cocktail_command(models: tuple[str, ...], path: str, temperature: float, **values: Any) -> int:
    """Mix models by how well each does on --examples (LM-Cocktail, arXiv:2311.13534, with a ranking loss).

    \b
    secondpass merge cocktail my-base my-tuned --examples examples.jsonl --out merged

    The loss of a reranker is the softmax cross-entropy of each passage that answers among those that do not; of an
    embedder, LM_Cocktail's contrastive loss. A handful of examples is enough; the same examples must not be used to
    measure the result.
    """
    output = output_from(values)
    scoring = scoring_from(values, output.offline)
    named = named_models(models)
    if any(model.weight is not None for model in named):
        raise InputError("cocktail finds the weights itself; leave them out, or use `merge mix`.")
    cocktail_weights([0.0], temperature)
    examples = list(good_examples(open_examples(path)))
    parents = tuple(open_parent(model.name, output.offline) for model in named)
    plan_merge(parents, Mix((1 / len(parents),) * len(parents)))  # whether they fit, before anything is computed
    show_notes()
    losses = _losses(parents, examples, LossOptions(scoring))
    weights = cocktail_weights([one.loss for one in losses], temperature)
    found: dict[str, Json] = {"temperature": temperature, "losses": [asdict(one) for one in losses]}
    if not output.as_json:
        console().print(_table(losses, weights, temperature))
    plan = plan_merge(parents, Mix(weights, "cocktail"), None, output.write, found)
    return run_merge(plan, output, found)


def _losses(parents: Sequence[Parent], examples: Sequence[TrainExample], options: LossOptions) -> list[ModelLoss]:
    if adapter := next((parent for parent in parents if parent.kind == "adapter"), None):
        raise InputError(
            f"{adapter.name} is a LoRA adapter, which scores nothing by itself; merge each into its model first, "
            "or give weights with `merge mix`."
        )
    return [model_loss(parent.name, parent.folder, examples, options) for parent in parents]


def _table(losses: Sequence[ModelLoss], weights: Sequence[float], temperature: float) -> Table:
    first = losses[0]
    skipped = f", {first.skipped:,} examples without both sides left out" if first.skipped else ""
    title = f"{first.kind} loss over {first.groups:,} groups{skipped}; weights at T = {temperature:g}"
    table = Table(title=title, title_justify="left", pad_edge=False)
    table.add_column("model", overflow="fold")
    for column in ("loss", "of chance", "weight"):
        table.add_column(column, justify="right")
    for loss, weight in zip(losses, weights, strict=True):
        table.add_row(shown(loss.model), f"{loss.loss:.4f}", f"{loss.chance:.4f}", f"{weight:.4f}")
    return table
