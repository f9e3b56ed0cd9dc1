"""``secondpass data``: training data read, checked, mined, written and split."""

from __future__ import annotations

import click

from secondpass.cli.lazy_group import lazy_group

_COMMANDS = {
    "convert": ("secondpass.cli.data_convert:convert_command", "Write training data in another form."),
    "check": ("secondpass.cli.data_check:check_command", "Say what would spoil training, before anything is trained."),
    "split": ("secondpass.cli.data_split:split_command", "Part training from development data so that nothing leaks."),
    "mine": ("secondpass.cli.data_mine:mine_command", "Find hard negatives, and leave out those that may be right."),
    "synthesize": ("secondpass.cli.data_synthesize:synthesize_command", "Have a chat model write questions."),
}


@click.command(cls=lazy_group(_COMMANDS))
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
