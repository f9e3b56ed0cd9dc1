"""``secondpass search``: the best passages, before and after reranking."""

from __future__ import annotations

import click

from secondpass.cli.options import (
    index_option,
    json_option,
    no_rerank_option,
    rerank_list,
    rerank_option,
    retrieve_options,
    retrieve_spec,
)
from secondpass.cli.output import console, hit_record, hits_table, print_json, seconds_line
from secondpass.workbench import Workbench


@click.command()
@click.argument("query")
@index_option
@retrieve_options
@rerank_option("lexical@3")
@no_rerank_option
@json_option
def search(
    query: str,
    index_path: str,
    retrieve: str | None,
    weights: str,
    rerank_specs: tuple[str, ...],
    no_rerank: bool,
    as_json: bool,
) -> int:
    """Show the best passages for QUERY: where each stood after every stage, its scores and their scales, its place.

    The exit code is 1 where nothing was found.
    """
    with Workbench(index_path) as workbench:
        result = workbench.search(query, retrieve_spec(retrieve, weights), rerank_list(rerank_specs, no_rerank))
    if as_json:
        print_json(
            {
                "query": query,
                "hits": [hit_record(hit) for hit in result.hits],
                "candidates": len(result.candidates),
                "seconds": dict(result.seconds),
            }
        )
    elif result.hits:
        title = f"{len(result.hits)} of {len(result.candidates)} candidates"
        console().print(hits_table(result.hits, title))
        click.echo(seconds_line(result.seconds))
    else:
        click.echo("nothing found; try other words")
    return 0 if result.hits else 1
