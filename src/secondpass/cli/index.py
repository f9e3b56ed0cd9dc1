"""``secondpass index``: documents into an index, only what changed."""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import Any

import click

from secondpass.cli.options import embedder_option, index_option, json_option, token_encoder_option
from secondpass.cli.output import print_json, seconds_line
from secondpass.cli.plain import plain
from secondpass.cli.progress import IndexingProgress
from secondpass.config import ChunkOptions
from secondpass.embed.names import open_embedder
from secondpass.ingest import IngestOptions, IngestReport
from secondpass.load.options import WebOptions
from secondpass.load.sources import MEDIA_TYPES
from secondpass.workbench import Workbench

_SHOWN_LINES = 20


@click.command()
@click.argument("documents", nargs=-1, required=True, metavar="FILE|FOLDER|URL...")
@index_option
@embedder_option
@token_encoder_option
@click.option("--embedder-url", metavar="URL", help="Address of the OpenAI-compatible server of the embedder.")
@click.option("--max-tokens", type=int, metavar="N", help="Longest chunk, in estimated tokens. [default: 256]")
@click.option("--overlap", type=int, metavar="N", help="Sentences that neighbouring chunks share. [default: 0]")
@click.option(
    "--max-file-mb",
    type=click.IntRange(min=1),
    default=50,
    show_default=True,
    metavar="MB",
    help="Larger files are left out, and named.",
)
@click.option(
    "--processes",
    type=click.IntRange(min=1),
    metavar="N",
    help="Processes that read and parse. [default: one per core]",
)
@click.option("--allow-private", is_flag=True, help="Fetch from private and loopback addresses, too.")
@click.option(
    "--allow-host", multiple=True, metavar="HOST", help="A host that may be at a private address; repeatable."
)
@click.option("--rebuild", is_flag=True, help="Throw the index away and build it again.")
@json_option
def index(**values: Any) -> int:
    """Read documents and web pages into an index.

    Folders are read with all below them: markdown, text, HTML, PDF, DOCX. Run it again and only what changed is read;
    what is gone is removed. It may be interrupted at any moment and run again.

    The exit code is 1 where something was left out; each is named with its reason.
    """
    index_path, as_json = values["index_path"], values["as_json"]
    embedder = open_embedder(values["embedder"], values["embedder_url"]) if values["embedder"] else None
    tokens = values["token_encoder"]
    with (
        Workbench(index_path, embedder, token_encoder=tokens) as workbench,
        IndexingProgress(quiet=as_json) as progress,
    ):
        report = workbench.index(
            *values["documents"],
            chunking=_chunking(values["max_tokens"], values["overlap"]),
            reading=_reading(values),
            rebuild=values["rebuild"],
            progress=progress,
        )
        documents_count, chunks_count = workbench.counts()
    if as_json:
        print_json({"index": index_path, "documents": documents_count, "chunks": chunks_count, "run": asdict(report)})
    else:
        _print(report, index_path, documents_count, chunks_count)
    if not documents_count:
        known = " ".join(MEDIA_TYPES)
        click.echo(f"the index is empty: no documents were found; files that are read end in {known}", err=True)
    return 1 if report.skipped or not documents_count else 0


def _chunking(max_tokens: int | None, overlap: int | None) -> ChunkOptions | None:
    """Return how to cut; None, where nothing was said, takes what the index was built with."""
    if max_tokens is None and overlap is None:
        return None
    default = ChunkOptions()
    return ChunkOptions(
        default.max_tokens if max_tokens is None else max_tokens,
        default.overlap_sentences if overlap is None else overlap,
    )


def _reading(values: dict[str, Any]) -> IngestOptions:
    limit = values["max_file_mb"] * 2**20
    web = WebOptions(values["allow_private"], frozenset(values["allow_host"]), max_bytes=limit)
    return IngestOptions(max_bytes=limit, processes=values["processes"] or os.cpu_count() or 1, web=web)


def _print(report: IngestReport, index_path: str, documents: int, chunks: int) -> None:
    parts = [f"{getattr(report, name):,} {name}" for name in ("added", "changed", "unchanged", "deleted", "kept")]
    click.echo(f"{index_path}: {documents:,} documents, {chunks:,} chunks ({', '.join(parts)})")
    if report.chunks:
        speed = f"{report.chunks_per_second:,.0f} chunks/s, {report.megabytes_per_second:.1f} MB/s"
        click.echo(f"{report.total_seconds:.1f} s, {speed}; {seconds_line(report.seconds)}")
    left_out = [
        skipped.reason if skipped.location in skipped.reason else f"{skipped.location} {skipped.reason}"
        for skipped in report.skipped
    ]
    _list("left out", left_out)
    _list("note", [f"{loss.location}: {loss.what}" for loss in report.losses])


def _list(what: str, lines: list[str]) -> None:
    for line in lines[:_SHOWN_LINES]:
        click.echo(plain(f"{what}: {line}"), err=True)
    if len(lines) > _SHOWN_LINES:
        click.echo(f"{what}: {len(lines) - _SHOWN_LINES:,} more; --json lists all", err=True)
