"""``secondpass merge``: several models become one."""

from __future__ import annotations

import click

from secondpass.cli.lazy_group import lazy_group
from secondpass.cli.merge_config import read_merge_config
from secondpass.errors import InputError

_COMMANDS = {
    "mix": ("secondpass.cli.merge_methods:mix_command", "The weighted mean of any number of models."),
    "cocktail": ("secondpass.cli.merge_cocktail:cocktail_command", "The same with weights found from examples."),
    "slerp": ("secondpass.cli.merge_methods:slerp_command", "A point on the arc between two models."),
    "ties": ("secondpass.cli.merge_methods:ties_command", "What models learned over a base, where they agree (TIES)."),
    "dare": ("secondpass.cli.merge_methods:dare_command", "What models learned, most of it dropped by chance (DARE)."),
    "sweep": ("secondpass.cli.merge_sweep:sweep_command", "Measure the line between a base and a fine-tuned model."),
}


@click.group(cls=lazy_group(_COMMANDS), invoke_without_command=True)
@click.option("--config", metavar="FILE.toml", help="Take command, models and options from a file.")
@click.pass_context
def merge(ctx: click.Context, config: str | None) -> int | None:
    """Make one model of several: encoders or decoders of one shape, or LoRA adapters of one model.

    \b
    secondpass merge mix my-base=0.5 my-tuned=0.5 --out merged
    secondpass merge cocktail my-base my-tuned --examples examples.jsonl --out merged
    secondpass merge sweep my-base my-tuned --target dev/ --general other/ --out merged
    secondpass merge --config merge.toml

    Needs no torch, and no more memory for a large model than for a small one.
    """
    if ctx.invoked_subcommand is not None:
        if config:
            raise InputError(f"{config} names a command of its own; leave out {ctx.invoked_subcommand!r}, or --config.")
        return None
    if config is None:
        click.echo(ctx.get_help())
        return None
    name, arguments = read_merge_config(config, list(_COMMANDS))
    command = merge.get_command(ctx, name)
    assert command is not None
    try:
        with command.make_context(name, arguments, parent=ctx) as inner:
            code: int | None = command.invoke(inner)
            return code
    except click.UsageError as error:
        raise InputError(f"{config}: {error.format_message()}") from error
