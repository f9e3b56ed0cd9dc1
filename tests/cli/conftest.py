"""A folder with the example documents, and the command line to use on it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from secondpass import Workbench

ROOT = Path(__file__).parents[2]
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the examples and an index of them in ``.secondpass``."""
    folder = tmp_path_factory.mktemp("indexed")
    shutil.copytree(ROOT / "examples", folder / "examples")
    with Workbench(folder / ".secondpass") as workbench:
        workbench.index(folder / "examples" / "documents")
    return folder


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run ``secondpass`` as a process of its own."""

    def call(*arguments: str, cwd: Path = tmp_path, stdin: str = "") -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "secondpass", *arguments]
        return subprocess.run(command, cwd=cwd, input=stdin, capture_output=True, text=True, check=False, timeout=120)

    return call


@pytest.fixture
def run_json(run: Run) -> Callable[..., Any]:
    """Run ``secondpass --json`` and return what it printed."""

    def call(*arguments: str, cwd: Path, code: int = 0) -> Any:
        done = run(*arguments, "--json", cwd=cwd)
        assert done.returncode == code, done.stderr
        return json.loads(done.stdout)

    return call
