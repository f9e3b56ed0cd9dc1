"""What the README shows works, in both languages."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(name: str, kind: str) -> list[str]:
    text = (ROOT / name).read_text(encoding="utf-8")
    return [body for language, body in BLOCK.findall(text) if language == kind]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder with the examples in it, as the working folder."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("kind", ["console", "python"])
def test_both_readmes_show_the_same_code(kind: str) -> None:
    assert blocks("README.md", kind) == blocks("README.zh.md", kind)
    assert blocks("README.md", kind)


@pytest.mark.usefixtures("place")
def test_the_python_of_the_readme_runs() -> None:
    printed = []
    for block in blocks("README.md", "python"):
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            exec(compile(block, "README.md", "exec"), {})
        printed.append(output.getvalue())
    assert "西安交通大学、西安医科大学、陕西财经学院" in printed[0]
    assert "xianjiaoda_excerpt.md" in printed[0]
    assert printed[1].splitlines()[0].endswith("西安交通大学位于陕西省西安市。")


def test_the_commands_of_the_readme_run(place: Path, caches: dict[str, str]) -> None:
    commands = [line[2:] for block in blocks("README.md", "console") for line in block.splitlines()]
    own = [shlex.split(command) for command in commands if command.startswith("secondpass ")]
    assert len(own) >= 6
    for command in own:
        done = subprocess.run(
            [sys.executable, "-m", "secondpass", *command[1:]],
            capture_output=True, text=True, cwd=place, check=False, env={**os.environ, **caches},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    for command in commands:
        if command.startswith("make "):
            assert f"\n{command.split()[1]}:" in (ROOT / "Makefile").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["README.md", "README.zh.md", "docs/architecture.md"])
def test_links_to_files_lead_somewhere(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    targets = [target for target in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in target]
    assert all((ROOT / Path(name).parent / target).exists() for target in targets)
