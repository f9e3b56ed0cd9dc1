"""``secondpass ask``: an answer with citations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

import click

from secondpass.cli.options import (
    QuestionOptions,
    index_option,
    json_option,
    llm_options,
    no_rerank_option,
    rerank_option,
    retrieve_options,
    show_passages_option,
    takes_question,
)
from secondpass.cli.output import (
    console,
    hits_table,
    passage_blocks,
    print_answer,
    print_json,
)
from secondpass.cli.plain import plain
from secondpass.cli.reranking import RerankingCommand
from secondpass.types import Answer
from secondpass.workbench import Workbench


@click.command(cls=RerankingCommand)
@click.argument("query")
@index_option
@retrieve_options
@rerank_option()
@no_rerank_option
@llm_options
@show_passages_option
@json_option
@takes_question
def ask(question: QuestionOptions) -> int:
    """Answer QUERY from the documents, with citations.

    Without --llm the answer is cut from the passages, word for word. The exit code is 1 where the documents do not
    answer.
    """
    with Workbench(question.index_path, rerankers=question.rerankers) as workbench:
        pieces = workbench.stream(question.query, question.retrieve, question.rerank, question.llm)
        answer = _follow(pieces, show=question.llm is not None and not question.as_json)
    if question.as_json:
        print_json({"query": question.query, **asdict(answer)})
        return 0 if answer.found else 1
    print_answer(answer, text=question.llm is None)
    if question.show_passages and answer.hits:
        console().print(hits_table(answer.hits, "passages"))
        console().print(passage_blocks(answer.hits))
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
