"""The command ``secondpass``: finds the command asked for, and turns errors into sentences and exit codes.

Exit codes: 0 done; 1 done, but nothing was found or some input was left out; 2 a mistake you can mend; 130 interrupted.
"""

from __future__ import annotations

import importlib
import os
import sys
from importlib.metadata import version

import click

from secondpass.cli.plain import plain
from secondpass.errors import SecondpassError

# Name -> place of the click command, and the line that `secondpass --help` shows without importing it.
COMMANDS = {
    "index": ("secondpass.cli.index:index", "Read documents and web pages into an index; only what changed."),
    "search": ("secondpass.cli.search:search", "Show the best passages for a question, before and after reranking."),
    "ask": ("secondpass.cli.ask:ask", "Answer a question from the documents, with citations."),
    "compare": ("secondpass.cli.compare:compare", "Ask with and without reranking, from the same candidates."),
    "rerank": ("secondpass.cli.rerank:rerank", "Rerank passages from anywhere: JSON lines or TREC runs."),
    "evaluate": (
        "secondpass.cli.evaluate:evaluate",
        "Measure rerankers: the same candidates, with intervals, tests, costs.",
    ),
    "tune": ("secondpass.cli.tune:tune", "Find the depth, rerankers, top_n and lowest score that meet a wish."),
    "label": ("secondpass.cli.label:label", "Have a chat model judge passages, for questions without labels."),
    "models": ("secondpass.cli.models:models", "List the known rerankers, fetch one, say where it lies."),
    "data": ("secondpass.cli.data:data", "Training data: convert, check, split, mine negatives, synthesize."),
    "train": ("secondpass.cli.train:train", "Fine-tune a reranker on your own data, and say whether it got better."),
    "merge": (
        "secondpass.cli.merge:merge",
        "Make one model of several: mixed, by signs, by weights found from examples.",
    ),
    "doctor": ("secondpass.cli.doctor:doctor", "Say what is installed, what is missing, and what mends it."),
}


class LazyGroup(click.Group):
    """A group that imports a command only when it runs, so that help comes at once."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the work."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command."""
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.command(
    cls=LazyGroup,
    epilog="Exit codes: 0 done, 1 nothing found or some input left out, 2 a mistake you can mend, 130 interrupted.",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.version_option(version("secondpass"), message="secondpass %(version)s")
def cli() -> None:
    """精排: retrieve passages cheaply, read question and passage together, answer from the best few.

    \b
    secondpass index docs/                 read a folder
    secondpass ask "西安交大由哪几个学校合并的"   answer with citations
    secondpass compare "..."               the same with and without reranking
    """


def main() -> None:
    """Run the command line."""
    try:
        code = cli.main(standalone_mode=False)
    except SecondpassError as error:
        code = _fail(str(error), 2)
    except click.ClickException as error:
        error.show()
        code = 2
    except (click.Abort, KeyboardInterrupt):
        code = _fail("interrupted; what was reported as done is kept.", 130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader left: `... | head`
        code = 0
    sys.exit(code if isinstance(code, int) else 0)


def _fail(message: str, code: int) -> int:
    click.echo(plain(f"secondpass: {message}"), err=True)
    return code
