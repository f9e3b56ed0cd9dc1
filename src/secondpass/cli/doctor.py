"""``secondpass doctor``: what is installed, what is missing, and the command that mends it."""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

import click
from rich.table import Table

from secondpass.cli.checks import Check
from secondpass.cli.doctor_models import model_checks
from secondpass.cli.options import index_option, json_option
from secondpass.cli.output import console, print_json, shown
from secondpass.errors import SecondpassError
from secondpass.llm.names import PROVIDERS
from secondpass.models.processor import instructions
from secondpass.workbench import describe_index

_STYLE = {"ok": "green", "optional": "yellow", "missing": "bold red"}
_EXTRA = re.compile(r"""extra\s*==\s*['"](?P<extra>\w+)['"]""")
_VECTOR_FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16")


@click.command()
@index_option
@json_option
def doctor(index_path: str, as_json: bool) -> int:
    """Say what is installed, what is missing, and the command that mends it.

    Nothing is changed and nothing is fetched. The exit code is 1 where a part is missing that every command needs.
    """
    checks = [*_machine(), *_packages(), *_keys(), *model_checks(), _index(index_path)]
    if as_json:
        print_json([asdict(check) for check in checks])
    else:
        print_checks(checks)
    return 1 if any(check.status == "missing" for check in checks) else 0


def print_checks(checks: Sequence[Check]) -> None:
    """Print what was looked at as a table."""
    table = Table(title=f"secondpass {version('secondpass')}", title_justify="left", pad_edge=False)
    for column in ("what", "state", "found", "what mends it"):
        table.add_column(column, overflow="fold")
    for check in checks:
        state = shown(check.status, _STYLE[check.status])
        table.add_row(shown(check.what), state, shown(check.found), shown(check.mend))
    console().print(table)


def _machine() -> Iterator[Check]:
    yield Check("python", "ok", f"{platform.python_version()} ({sys.executable})")
    flags = "".join(f", {flag}" for flag in _VECTOR_FLAGS if flag in instructions())
    yield Check("machine", "ok", f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores{flags}")


def _packages() -> Iterator[Check]:
    """Check every requirement of the package, as its own metadata lists them."""
    for requirement in requires("secondpass") or ():
        name = re.split(r"[\[<>=!~ ;]", requirement, maxsplit=1)[0]
        extra = _EXTRA.search(requirement)
        if extra and extra["extra"] == "dev":
            continue
        mend = f"pip install 'secondpass[{extra['extra']}]'" if extra else "pip install --force-reinstall secondpass"
        what = f"{name} ({extra['extra']})" if extra else name
        try:
            yield Check(what, "ok", version(name))
        except PackageNotFoundError:
            yield Check(what, "optional" if extra else "missing", "not installed", mend)


def _keys() -> Iterator[Check]:
    for name in sorted({provider.key_variable for provider in PROVIDERS.values() if provider.key_variable}):
        if os.environ.get(name):
            yield Check(name, "ok", "set")
        else:
            yield Check(name, "optional", "not set; needed only for that provider", f"export {name}=...")


def _index(path: str) -> Check:
    folder = Path(path)
    free = shutil.disk_usage(folder if folder.exists() else ".").free // 2**20
    if not folder.exists():
        mend = f"secondpass index FOLDER --index {path}"
        return Check("index", "optional", f"none at {path}; {free:,} MB free", mend)
    try:
        return Check("index", "ok", f"{describe_index(path)}; {free:,} MB free")
    except SecondpassError as error:
        return Check("index", "missing", str(error), f"secondpass index FOLDER --index {path} --rebuild")
