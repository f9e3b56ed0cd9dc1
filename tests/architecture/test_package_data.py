"""What is no code comes with the package, too."""

from __future__ import annotations

import tomllib
from fnmatch import fnmatch
from pathlib import Path

from secondpass.models.builtin_model import _FILES, BUILTIN_FOLDER

ROOT = Path(__file__).parents[2]
DATA = {".json", ".safetensors", ".md"}


def test_a_wheel_holds_every_file_of_the_packaged_model() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]["build"]["targets"]
    assert settings["wheel"] == {"packages": ["src/secondpass"]}  # all of it but what .gitignore names
    assert "src" in settings["sdist"]["include"]
    ignored = [line.strip("/ ") for line in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines() if line]
    for name in (*_FILES, "probes.json", "README.md"):
        parts = (*BUILTIN_FOLDER.parts[-4:], name)
        assert parts[:-1] == ("src", "secondpass", "models", "builtin")
        assert not [pattern for pattern in ignored for part in parts if fnmatch(part, pattern)]


def test_the_packaged_model_is_data_and_no_code() -> None:
    found = list(BUILTIN_FOLDER.rglob("*"))
    assert {path.suffix for path in found if path.is_file()} <= DATA
    assert not [path for path in found if path.is_dir()]
