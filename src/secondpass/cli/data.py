"""``secondpass data``: training data read, checked, mined, written and split."""

from __future__ import annotations

import importlib

import click

# Name -> place of the click command, and the line that `secondpass data --help` shows without importing it.
_COMMANDS = {
    "convert": ("secondpass.cli.data_convert:convert_command", "Write training data in another form."),
    "check": ("secondpass.cli.data_check:check_command", "Say what would spoil training, before anything is trained."),
    "split": ("secondpass.cli.data_split:split_command", "Part training from development data so that nothing leaks."),
    "mine": ("secondpass.cli.data_mine:mine_command", "Find hard negatives, and leave out those that may be right."),
    "synthesize": ("secondpass.cli.data_synthesize:synthesize_command", "Have a chat model write questions."),
}


class DataGroup(click.Group):
    """A group that imports a command only when it runs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the work."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command."""
        if cmd_name not in _COMMANDS:
            return None
        module, _, attribute = _COMMANDS[cmd_name][0].partition(":")
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in _COMMANDS.items()])


@click.command(cls=DataGroup)
def data() -> None:
    """Training data for rerankers: convert, check, split, mine negatives, have questions written.

    \b
    Every form in use is read, one example a line:
    flag      {"query", "pos": [...], "neg": [...], "pos_scores"?, "neg_scores"?, "prompt"?}
    triplets  {"query" or "anchor", "positive", "negative" or "negative_1", "negative_2", ...}
    pairs     {"query" or "sentence1", "passage", "sentence2" or "text", "label" or "score"}
    lists     {"query", "docs" or "passages": [...], "labels": [...]}
    messages  {"messages", "positive_messages", "negative_messages"}
    CSV and TSV with the same columns; beir and trec: a folder with corpus.jsonl, queries.jsonl, qrels.
    """
