"""``secondpass search``: the best passages, before and after reranking."""

from __future__ import annotations

from dataclasses import asdict

import click

from secondpass.cli.options import (
    QuestionOptions,
    index_option,
    json_option,
    no_rerank_option,
    rerank_option,
    retrieve_options,
    show_passages_option,
    takes_question,
)
from secondpass.cli.output import console, hits_table, passage_blocks, print_json, seconds_line
from secondpass.cli.reranking import RerankingCommand
from secondpass.workbench import Workbench


@click.command(cls=RerankingCommand)
@click.argument("query")
@index_option
@retrieve_options
@rerank_option()
@no_rerank_option
@show_passages_option
@json_option
@takes_question
def search(question: QuestionOptions) -> int:
    """Show the best passages for QUERY: where each stood after every stage, its scores and their scales, its place.

    The exit code is 1 where nothing was found.
    """
    with Workbench(question.index_path, rerankers=question.rerankers) as workbench:
        result = workbench.search(question.query, question.retrieve, question.rerank)
    if question.as_json:
        hits = [asdict(hit) for hit in result.hits]
        seconds = dict(result.seconds)
        print_json({"query": result.query, "hits": hits, "candidates": len(result.candidates), "seconds": seconds})
    elif result.hits:
        terminal = console()
        terminal.print(hits_table(result.hits, f"{len(result.hits)} of {len(result.candidates)} candidates"))
        if question.show_passages:
            terminal.print(passage_blocks(result.hits))
        click.echo(seconds_line(result.seconds))
    else:
        click.echo("nothing found; try other words")
    return 0 if result.hits else 1
