"""What commands print: tables for people, JSON for machines."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import click
from rich.cells import cell_len, chop_cells
from rich.console import Console
from rich.table import Table
from rich.text import Text

from secondpass.answer.quotes import readable
from secondpass.cli.plain import plain
from secondpass.pipeline import Comparison
from secondpass.types import Answer, Chunk, Citation, Hit, StageScore

_PARTS_OF_A_NAME = re.compile(r"[^-_/:@.+>]*[-_/:@.+>]?")
_OWNED = re.compile(r"[\w.-]+/(?P<name>[\w.-]+)")
_LINES_OF_A_NAME = 4
_WHITE = re.compile(r"\s+")
_EVIDENCE = "underline"
"""The style of what a model points at; it is seen where the terminal has styles."""


def console() -> Console:
    """Return the terminal for tables; a pipe gets 120 columns."""
    width = None if os.isatty(1) else 120
    return Console(width=width, highlight=False, soft_wrap=False)


def shown(text: str, style: str = "") -> Text:
    """Return ``text`` as it is: what looks like markup in a document stays text."""
    return Text(plain(text), style)


def print_json(value: Any) -> None:
    """Print ``value`` as one line of JSON."""
    click.echo(json.dumps(value, ensure_ascii=False))


def place(chunk: Chunk) -> str:
    """Return the file and place of a chunk: ``docs/a.pdf p.3 [120:480]``."""
    page = f" p.{chunk.page}" if chunk.page else ""
    return f"{chunk.doc_id or chunk.source}{page} [{chunk.start}:{chunk.end}]"


def movement(hit: Hit) -> str:
    """Return how a passage moved by its last stage: ``▲2``, ``▼1``, ``=``."""
    if len(hit.stages) < 2:
        return ""
    moved = hit.stages[-2].rank - hit.stages[-1].rank
    return f"▲{moved}" if moved > 0 else f"▼{-moved}" if moved < 0 else "="


def _number(score: float) -> str:
    return f"{score:.4f}" if abs(score) < 0.1 else f"{score:.2f}"


def _add_passage_columns(table: Table) -> None:
    table.add_column("file and place", ratio=2, overflow="fold")
    table.add_column("passage", ratio=5, overflow="fold")


def hits_table(hits: Sequence[Hit], title: str) -> Table:
    """Return the passages as a table: rank, rank and score after every stage with its scale, place and text."""
    table = Table(title=title, title_justify="left", expand=True, pad_edge=False)
    table.add_column("#", justify="right", no_wrap=True)
    stages = list(_by_stage(max((hit.stages for hit in hits), key=len, default=())).values())
    for stage in stages:
        table.add_column(shown(f"{narrow(stage.stage)}\n{stage.scale}"), justify="right", no_wrap=True)
    _add_passage_columns(table)
    for rank, hit in enumerate(hits, start=1):
        given = _by_stage(hit.stages)
        found = [given.get(key) for key in _by_stage(stages)]
        scores = [f"#{stage.rank}\n{_number(stage.score)}" if stage else "–" for stage in found]
        table.add_row(f"{rank}{movement(hit)}", *scores, shown(place(hit.chunk)), excerpt(hit))
    return table


def _by_stage(stages: Sequence[StageScore]) -> dict[tuple[str, int], StageScore]:
    """Return stages by their name and which of that name they are: a cascade may have one reranker twice."""
    counts: Counter[str] = Counter()
    named: dict[tuple[str, int], StageScore] = {}
    for stage in stages:
        named[stage.stage, counts[stage.stage]] = stage
        counts[stage.stage] += 1
    return named


def narrow(name: str, columns: int = 14) -> str:
    """Return a stage's name on several lines of about ``columns``: without the owner of a model, broken at its marks.

    >>> narrow("BAAI/bge-reranker-v2-m3"), narrow("lexical")
    ('bge-reranker-\\nv2-m3', 'lexical')
    """
    if owned := _OWNED.fullmatch(name):
        name = owned["name"]
    lines = [""]
    for part in _PARTS_OF_A_NAME.findall(name):
        for piece in chop_cells(part, columns):
            if lines[-1] and cell_len(lines[-1] + piece) > columns:
                lines.append("")
            lines[-1] += piece
    return "\n".join(lines if len(lines) <= _LINES_OF_A_NAME else [*lines[: _LINES_OF_A_NAME - 1], "…"])


def comparison_table(result: Comparison) -> Table:
    """Return the candidates as the first stage ordered them, and where the second put or left each."""
    kept = {hit.chunk.id: (rank, hit) for rank, hit in enumerate(result.reranked.hits, start=1)}
    title = f"{len(result.candidates)} candidates, {len(kept)} kept by the reranker"
    table = Table(title=title, title_justify="left", expand=True, pad_edge=False)
    table.add_column("before", justify="right", no_wrap=True)
    table.add_column(result.candidates[0].scale, justify="right", no_wrap=True)
    table.add_column("after", justify="right", no_wrap=True)
    table.add_column(result.reranked.hits[0].scale if result.reranked.hits else "", justify="right", no_wrap=True)
    _add_passage_columns(table)
    for rank, candidate in enumerate(result.candidates, start=1):
        after, hit = kept.get(candidate.chunk.id, (0, candidate))
        moved = (f"{after}{movement(hit)}", _number(hit.score)) if after else ("cut", "")
        cells = (str(rank), _number(candidate.score), *moved, shown(place(hit.chunk)), excerpt(hit))
        table.add_row(*cells, style="" if after else "dim")
    return table


def passage_blocks(hits: Sequence[Hit]) -> Text:
    """Return the passages whole, numbered as a prompt numbers them."""
    blocks = [f"[{rank}] {place(hit.chunk)}\n{hit.chunk.text}\n\n" for rank, hit in enumerate(hits, start=1)]
    return shown("".join(blocks), "dim")


def print_answer(answer: Answer, text: bool = True) -> None:
    """Print an answer (without its ``text`` where that was shown already), its places, what was mended, its cost."""
    terminal = console()
    if text:
        terminal.print(answer_text(answer))
    for citation in answer.citations:
        terminal.print(citation_line(citation))
    for warning in answer.warnings:
        click.echo(plain(f"note: {warning}"), err=True)
    tokens = answer.tokens
    mark = "≈" if tokens and tokens.estimated else ""
    cost = f" · prompt {mark}{tokens.prompt:,} tokens, reply {mark}{tokens.completion:,}" if tokens else ""
    click.echo(seconds_line(answer.seconds) + cost)


def answer_text(answer: Answer) -> Text:
    """Return the words of an answer, underlined where a citation's highlight says that they are the answer itself."""
    text = shown(answer.text, "bold" if answer.found else "yellow")
    for citation in answer.citations:
        if citation.highlight is None:
            continue
        before, after = (place - citation.start for place in (citation.highlight.start, citation.highlight.end))
        parts = (citation.quote, citation.quote[:before], citation.quote[before:after])
        quote, leading, said = (plain(readable(part)) for part in parts)
        start = text.plain.find(said, text.plain.find(quote) + len(leading))  # the same words may stand before, too
        if said and start >= 0:
            text.stylize(_EVIDENCE, start, start + len(said))
    return text


def excerpt(hit: Hit, length: int = 160) -> Text:
    """Return the beginning of a passage, or its surroundings of the evidence, on one line.

    Evidence that a model points at is underlined.
    """
    whole, start = hit.chunk.text, 0
    if hit.evidence and hit.evidence.end > length:
        start = max(0, hit.evidence.start - length // 4)
    end = min(len(whole), start + length)
    first = last = end
    if hit.evidence and hit.evidence_confidence is not None:
        first, last = min(hit.evidence.start, end), min(hit.evidence.end, end)
    before, inside, after = (_WHITE.sub(" ", part) for part in (whole[start:first], whole[first:last], whole[last:end]))
    text = Text("…" if start else "")
    for part, style in ((before.lstrip(), ""), (inside, _EVIDENCE), (after, "")):
        if part:
            text.append_text(shown(part, style))
    text.rstrip()
    return text.append("…" if end < len(whole) else "")


def seconds_line(seconds: Mapping[str, float]) -> str:
    """Return the seconds per step: ``retrieve 2 ms · rerank 5 ms · generate 1.20 s``."""
    return " · ".join(
        f"{step} {value * 1000:.0f} ms" if value < 1 else f"{step} {value:.2f} s" for step, value in seconds.items()
    )


def citation_line(citation: Citation) -> Text:
    """Return a citation: number, file, place, and the words it rests on."""
    page = f" p.{citation.page}" if citation.page else ""
    where = f"{citation.doc_id}{page} [{citation.start}:{citation.end}]"
    return shown(f"[{citation.number}] {where}", "dim")
