"""``secondpass compare``: the experiment; the same candidates with and without the second stage."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click
from rich.rule import Rule
from rich.table import Table

from secondpass.cli.options import (
    QuestionOptions,
    index_option,
    json_option,
    llm_options,
    rerank_option,
    retrieve_options,
    show_passages_option,
    takes_question,
)
from secondpass.cli.output import (
    comparison_table,
    console,
    passage_blocks,
    print_answer,
    print_json,
)
from secondpass.cli.reranking import RerankingCommand
from secondpass.pipeline import Comparison
from secondpass.types import Answer
from secondpass.workbench import Workbench

STEPS = ("retrieve", "rerank", "generate")


@click.command(cls=RerankingCommand)
@click.argument("query")
@index_option
@retrieve_options
@rerank_option()
@llm_options
@show_passages_option
@json_option
@takes_question
def compare(question: QuestionOptions) -> int:
    """Answer QUERY twice from the same candidates: from all of them, and from those the reranker keeps.

    Shows both answers, both contexts (whole with --show-passages), the tokens of each prompt, and the seconds of each
    step.
    """
    with Workbench(question.index_path, rerankers=question.rerankers) as workbench:
        result = workbench.compare(question.query, question.retrieve, question.rerank, question.llm)
    if question.as_json:
        print_json(_record(result))
    elif result.candidates:
        _print(result, question.show_passages)
    else:
        click.echo("nothing found; try other words")
    return 0 if result.candidates else 1


def _record(result: Comparison) -> dict[str, Any]:
    return {
        "query": result.query,
        "without": {**asdict(result.without), "prompt_tokens": result.without_tokens.prompt},
        "reranked": {**asdict(result.reranked), "prompt_tokens": result.reranked_tokens.prompt},
        "prompt_tokens_estimated": result.reranked_tokens.estimated,
    }


def _print(result: Comparison, show_passages: bool) -> None:
    terminal = console()
    terminal.print(comparison_table(result))
    terminal.print(_costs(result))
    for name, answer in (("without rerank", result.without), ("with rerank", result.reranked)):
        terminal.print(Rule(name, align="left"))
        if show_passages:
            terminal.print(passage_blocks(answer.hits))
        print_answer(answer)


def _costs(result: Comparison) -> Table:
    """Return what each side cost: passages, prompt tokens, seconds per step."""
    table = Table(pad_edge=False)
    for column in ("", "without rerank", "with rerank", "ratio"):
        table.add_column(column, justify="left" if not column else "right", no_wrap=True)
    mark = "≈" if result.reranked_tokens.estimated else ""
    table.add_row("passages", *_pair(len(result.without.hits), len(result.reranked.hits), "{:.0f}"))
    tokens = (result.without_tokens.prompt, result.reranked_tokens.prompt)
    table.add_row("prompt tokens", *_pair(*tokens, mark + "{:.0f}"))
    for step in STEPS:
        table.add_row(step, *_pair(_ms(result.without, step), _ms(result.reranked, step), "{:.1f} ms"))
    totals = [sum(_ms(answer, step) for step in STEPS) for answer in (result.without, result.reranked)]
    table.add_row("total", *_pair(totals[0], totals[1], "{:.1f} ms"))
    return table


def _ms(answer: Answer, step: str) -> float:
    return answer.seconds.get(step, 0.0) * 1000


def _pair(without: float, reranked: float, form: str) -> tuple[str, str, str]:
    """Return both figures and how many times the second stage saves (below 1: costs)."""
    shown = [form.format(value) if value else "–" for value in (without, reranked)]
    return shown[0], shown[1], f"{without / reranked:.2f}x" if without and reranked else ""
