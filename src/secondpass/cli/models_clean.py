"""``secondpass models clean``: remove graphs of engines that can be made again."""

from __future__ import annotations

import click

from secondpass.cli.options import json_option
from secondpass.cli.output import print_json
from secondpass.cli.plain import plain
from secondpass.cli.sizes import bytes_in_words
from secondpass.models.engine_cache import DAYS_KEPT, cached_graphs, clean, graphs_folder


@click.command("clean")
@click.option("--days", type=click.FloatRange(0), default=DAYS_KEPT, show_default=True, help="Not used for so long.")
@click.option("--gigabytes", type=click.FloatRange(0), help="And the oldest beyond this. [default: 20]")
@click.option("--all", "everything", is_flag=True, help="All that no running process uses.")
@click.option("--dry-run", is_flag=True, help="Say what would go.")
@json_option
def clean_command(days: float, gigabytes: float | None, everything: bool, dry_run: bool, as_json: bool) -> None:
    """Remove what engines made of models and have not used for long; it is made again when it is needed.

    Downloaded models are never touched, nor what a running process has open.
    """
    removed = clean(0.0 if everything else gigabytes, days, dry_run)
    going = {graph.folder for graph in removed}
    kept = [graph for graph in cached_graphs() if graph.folder not in going]
    size, rest = (sum(graph.size_bytes for graph in graphs) for graphs in (removed, kept))
    if as_json:
        found = {"removed": [graph.folder.name for graph in removed], "bytes": size, "dry_run": dry_run}
        print_json({**found, "kept": len(kept), "kept_bytes": rest, "folder": str(graphs_folder())})
        return
    verb = "would go" if dry_run else "removed"
    click.echo(
        plain(
            f"{len(removed)} graphs {verb} ({bytes_in_words(size)}); {len(kept)} kept ({bytes_in_words(rest)}) in "
            f"{graphs_folder()}"
        )
    )
