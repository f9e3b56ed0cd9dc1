"""``secondpass ask``: an answer with citations."""

from __future__ import annotations

from collections.abc import Iterator

import click

from secondpass.cli.options import (
    index_option,
    json_option,
    llm_options,
    no_rerank_option,
    rerank_list,
    rerank_option,
    retrieve_options,
    retrieve_spec,
)
from secondpass.cli.output import answer_record, console, hits_table, plain, print_answer, print_json
from secondpass.llm.names import open_llm
from secondpass.types import Answer
from secondpass.workbench import Workbench


@click.command()
@click.argument("query")
@index_option
@retrieve_options
@rerank_option("lexical@3")
@no_rerank_option
@llm_options
@click.option("--show-passages", is_flag=True, help="Also show the passages the answer was made from.")
@json_option
def ask(
    query: str,
    index_path: str,
    retrieve: str | None,
    weights: str,
    rerank_specs: tuple[str, ...],
    no_rerank: bool,
    llm: str | None,
    llm_url: str | None,
    show_passages: bool,
    as_json: bool,
) -> int:
    """Answer QUERY from the documents, with citations.

    Without --llm the answer is cut from the passages, word for word. The exit code is 1 where the documents do not
    answer.
    """
    model = open_llm(llm, llm_url) if llm else None
    with Workbench(index_path) as workbench:
        pieces = workbench.stream(query, retrieve_spec(retrieve, weights), rerank_list(rerank_specs, no_rerank), model)
        answer = _follow(pieces, show=model is not None and not as_json)
    if as_json:
        print_json({"query": query, **answer_record(answer)})
    else:
        print_answer(answer, text=model is None)
        if show_passages and answer.hits:
            console().print(hits_table(answer.hits, "passages"))
    return 0 if answer.found else 1


def _follow(pieces: Iterator[str | Answer], show: bool) -> Answer:
    """Show the words of a chat model as they come, and return the answer they make."""
    for piece in pieces:
        if isinstance(piece, Answer):
            if show:
                click.echo()
            return piece
        if show:
            click.echo(plain(piece), nl=False)
    raise RuntimeError("the answerer ended without an answer")
