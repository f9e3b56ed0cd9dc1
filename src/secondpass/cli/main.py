"""The command ``secondpass``: finds the command asked for, and turns errors into sentences and exit codes.

Exit codes: 0 done; 1 done, but nothing was found or some input was left out; 2 a mistake you can mend; 130 interrupted.
"""

from __future__ import annotations

import os
import sys
from importlib.metadata import version

import click

from secondpass.cli.lazy_group import lazy_group
from secondpass.cli.plain import plain
from secondpass.errors import SecondpassError

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


@click.command(
    cls=lazy_group(COMMANDS),
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
