"""What commands print: tables for people, JSON for machines."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from secondpass.types import Answer, Chunk, Citation, Hit

_UNSAFE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def console() -> Console:
    """Return the terminal for tables; a pipe gets 120 columns."""
    width = None if os.isatty(1) else 120
    return Console(width=width, highlight=False, soft_wrap=False)


def plain(text: str) -> str:
    """Return ``text`` without what could steer a terminal: documents are data."""
    return _UNSAFE.sub("", text)


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


def hits_table(hits: Sequence[Hit], title: str, reranked: bool) -> Table:
    """Return the passages as a table: ranks and scores before and after, scale, place and text."""
    table = Table(title=title, title_justify="left", expand=True, pad_edge=False)
    table.add_column("#", justify="right", no_wrap=True)
    if reranked:
        table.add_column("was", justify="right", no_wrap=True)
    for number in range(len(hits[0].stages)) if hits else ():
        stage = hits[0].stages[number]
        table.add_column(f"{stage.stage}\n{stage.scale}", justify="right", no_wrap=True)
    table.add_column("file and place", ratio=2, overflow="fold")
    table.add_column("passage", ratio=5, overflow="fold")
    for rank, hit in enumerate(hits, start=1):
        before = [f"{hit.stages[0].rank} {movement(hit)}"] if reranked else []
        scores = [f"{stage.score:.3f}" for stage in hit.stages]
        table.add_row(str(rank), *before, *scores, shown(place(hit.chunk)), shown(excerpt(hit)))
    return table


def excerpt(hit: Hit, length: int = 160) -> str:
    """Return the beginning of a passage, or its surroundings of the evidence, on one line."""
    start = 0
    if hit.evidence and hit.evidence.end > length:
        start = max(0, hit.evidence.start - length // 4)
    text = " ".join(hit.chunk.text[start : start + length].split())
    more = "…" if start + length < len(hit.chunk.text) else ""
    return ("…" if start else "") + text + more


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


def hit_record(hit: Hit) -> dict[str, Any]:
    """Return a hit as JSON can hold it."""
    record = asdict(hit)
    record["stages"] = [asdict(stage) for stage in hit.stages]
    return record


def answer_record(answer: Answer) -> dict[str, Any]:
    """Return an answer as JSON can hold it."""
    return asdict(answer)
