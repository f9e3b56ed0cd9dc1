"""``secondpass models``: which rerankers are known, which are on this machine, and how to fetch one."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.table import Table

from secondpass.cli.models_clean import clean_command
from secondpass.cli.models_export import export_command
from secondpass.cli.models_parity import parity_command
from secondpass.cli.options import json_option
from secondpass.cli.output import console, print_json, shown
from secondpass.cli.pace import SECONDS_BETWEEN_LINES, time_left
from secondpass.cli.plain import plain
from secondpass.cli.reranking import offline_option
from secondpass.cli.sizes import bytes_in_words
from secondpass.errors import InputError
from secondpass.models.builtin_model import BUILTIN, builtin_folder
from secondpass.models.checkpoint import read_checkpoint, reranker_family
from secondpass.models.hub_caches import HUB_NAMES, CachedModel, cached_models
from secondpass.models.hub_listing import DownloadState
from secondpass.models.model_folder import check_folder
from secondpass.models.profiles import PROFILES, RerankerProfile, find_profile
from secondpass.models.source import Source, resolve

_PLACES = {**{str(hub): name for hub, name in HUB_NAMES.items()}, "package": "in the package"}


@dataclass(frozen=True, slots=True)
class Copy:
    """A model in a cache of this machine: where, how large, and whether it is whole."""

    cached: CachedModel
    size_bytes: int
    missing: str


@click.group()
def models() -> None:
    """List the known rerankers, fetch one, say where it lies, export it, compare what computes it.

    The caches of Hugging Face and ModelScope are shared with their own tools. Each command takes --json.
    """


for _command in (export_command, parity_command, clean_command):
    models.add_command(_command)


@models.command("list")
@click.option("--cached", "cached_only", is_flag=True, help="Only what is on this machine.")
@json_option
def list_command(cached_only: bool, as_json: bool) -> None:
    """List the rerankers with a profile, and any other that is in a cache."""
    copies = [_copy(cached) for cached in cached_models()]
    rows = [row for row in _rows(copies) if row["cached"] or not cached_only]
    if as_json:
        print_json(rows)
        return
    console().print(_table(rows))
    if not any(row["cached"] for row in rows if row["name"] != BUILTIN):
        click.echo("None of those at the hubs is on this machine: secondpass models fetch NAME")


@models.command("fetch")
@click.argument("name")
@click.option("--quiet", "-q", is_flag=True, help="No progress.")
@offline_option
@json_option
def fetch_command(name: str, quiet: bool, offline: bool, as_json: bool) -> None:
    """Fetch the model NAME (OWNER/NAME, or ms:OWNER/NAME for ModelScope) and say where it lies.

    Only settings, tokenizer and safetensors or ONNX weights are fetched: never pickles, never code. With --offline
    nothing is fetched, and the exit code says whether the model is here and whole.
    """
    try:
        source, new = resolve(name, offline=True), False
    except InputError:
        if offline:
            raise
        with DownloadBar(name, quiet or as_json) as bar:
            source, new = resolve(name, progress=bar.advance), True
    size = _size(source.folder)
    if as_json:
        print_json({**_described(source), "bytes": size, "fetched": new})
        return
    verb = "fetched" if new else "is here already:"
    click.echo(plain(f"{name} {verb} {bytes_in_words(size)} in {source.folder}"))


@models.command("path")
@click.argument("name")
@json_option
def path_command(name: str, as_json: bool) -> None:
    """Print the folder of the model NAME; nothing is fetched."""
    source = resolve(name, offline=True)
    if as_json:
        print_json(_described(source))
    else:
        click.echo(plain(str(source.folder)))


class DownloadBar:
    """A bar with speed and time left on the standard error; where that is no terminal, a line every five seconds."""

    def __init__(self, name: str, quiet: bool) -> None:
        terminal = Console(stderr=True)
        self._name, self._lines = name, not terminal.is_terminal and not quiet
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=terminal,
            transient=True,
            disable=quiet or not terminal.is_terminal,
        )
        self._task = self._bar.add_task(plain(name), total=None)
        self._started = self._said = time.monotonic()

    def __enter__(self) -> DownloadBar:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bar.stop()

    def advance(self, state: DownloadState) -> None:
        """Hear how many bytes have come."""
        self._bar.update(self._task, completed=state.done_bytes, total=state.total_bytes)
        now = time.monotonic()
        if self._lines and now - self._said > SECONDS_BETWEEN_LINES and state.done_bytes < state.total_bytes:
            self._said = now
            left = time_left(now - self._started, state.done_bytes, state.total_bytes)
            done = f"{bytes_in_words(state.done_bytes)} of {bytes_in_words(state.total_bytes)}"
            click.echo(plain(f"{self._name}: {done}, {left} left"), err=True)


def _rows(copies: Sequence[Copy]) -> Iterator[dict[str, Any]]:
    """Yield a row per profile, then one per cached reranker without a profile."""
    by_profile: dict[str, list[Copy]] = {}
    others: list[Copy] = []
    for copy in copies:
        profile = _exact_profile(copy.cached.name)
        if profile:
            by_profile.setdefault(profile.name, []).append(copy)
        else:
            others.append(copy)
    for profile in PROFILES:
        row = _row(profile.name, profile.family, profile, by_profile.get(profile.name, []))
        yield row if profile.name != BUILTIN else {**row, "cached": _packaged()}
    for copy in others:
        if family := _family(copy.cached.folder):
            yield _row(copy.cached.name, family, None, [copy])


def _packaged() -> list[dict[str, Any]]:
    """Return the place of the model that comes with the package, none where this installation lacks it."""
    try:
        folder = builtin_folder()
    except InputError:
        return []
    size = _size(folder)
    return [{"hub": "package", "name": BUILTIN, "folder": str(folder), "bytes": size, "missing": ""}]


def _row(name: str, family: str, profile: RerankerProfile | None, copies: Sequence[Copy]) -> dict[str, Any]:
    return {
        "name": name,
        "family": family,
        "max_tokens": profile.max_tokens if profile else None,
        "scale": profile.scale if profile else None,
        "license": profile.license if profile else "",
        "profile": profile is not None,
        "cached": [
            {
                "hub": copy.cached.hub,
                "name": copy.cached.name,
                "folder": str(copy.cached.folder),
                "bytes": copy.size_bytes,
                "missing": copy.missing,
            }
            for copy in copies
        ],
    }


def _table(rows: Sequence[dict[str, Any]]) -> Table:
    table = Table(title=f"{len(rows)} rerankers", title_justify="left", pad_edge=False)
    for column in ("name", "family", "tokens", "scale", "licence", "on this machine"):
        justify: Any = "right" if column == "tokens" else "left"
        table.add_column(column, justify=justify, overflow="fold")
    for row in rows:
        table.add_row(
            shown(row["name"], "bold" if row["cached"] else ""),
            shown(row["family"] if row["profile"] else f"{row['family']}, no profile"),
            shown(f"{row['max_tokens']:,}" if row["max_tokens"] else "–"),
            shown(row["scale"] or "–"),
            shown(row["license"] or "see card"),
            shown("\n".join(_where(copy) for copy in row["cached"]) or "–"),
        )
    return table


def _where(copy: dict[str, Any]) -> str:
    state = f"incomplete: {copy['missing']}" if copy["missing"] else bytes_in_words(copy["bytes"])
    return f"{_PLACES[copy['hub']]}, {state}"


def _exact_profile(name: str) -> RerankerProfile | None:
    """Return the profile of exactly this name: another owner's model may be another model."""
    profile = find_profile(name)
    names = (profile.name, *profile.aliases) if profile else ()
    return profile if name.lower() in {known.lower() for known in names} else None


def _family(folder: Path) -> str:
    try:
        return reranker_family(read_checkpoint(folder), None)
    except InputError:
        return ""


def _copy(cached: CachedModel) -> Copy:
    try:
        check_folder(cached.folder)
    except InputError as error:
        return Copy(cached, _size(cached.folder), str(error))
    return Copy(cached, _size(cached.folder), "")


def _described(source: Source) -> dict[str, str]:
    return {
        "name": source.name, "folder": str(source.folder), "revision": source.revision, "origin": source.origin,
    }  # fmt: skip


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
