"""``secondpass doctor`` and what is true of every command."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from secondpass.cli.doctor import Check, print_checks
from secondpass.cli.main import COMMANDS


def test_doctor_names_every_requirement_and_the_index(run_json: Callable[..., Any], indexed: Path) -> None:
    checks = {check["what"]: check for check in run_json("doctor", cwd=indexed)}
    for name in ("numpy", "qdrant-edge-py", "trafilatura", "openai", "python", "machine"):
        assert checks[name]["status"] == "ok"
    assert "16 documents" in checks["index"]["found"]


def test_what_mends_it_is_printed_letter_for_letter(capsys: pytest.CaptureFixture[str]) -> None:
    print_checks([Check("torch", "optional", "not installed", "pip install 'secondpass[torch]'")])
    assert "pip install 'secondpass[torch]'" in capsys.readouterr().out


def test_doctor_says_how_to_make_an_index_and_never_shows_a_key(
    run: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    done = run("doctor")
    assert done.returncode == 0
    assert "secondpass index" in done.stdout
    assert "sk-secret" not in done.stdout + done.stderr


def test_doctor_reports_a_damaged_index(run: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / ".secondpass").mkdir()
    (tmp_path / ".secondpass" / "manifest.json").write_text("{", encoding="utf-8")
    done = run("doctor")
    assert done.returncode == 1
    assert "damaged" in done.stdout


@pytest.mark.parametrize("command", list(COMMANDS))
def test_every_command_explains_itself(run: Callable[..., Any], command: str) -> None:
    done = run(command, "--help")
    assert done.returncode == 0
    assert "--json" in done.stdout


def test_the_version_is_shown(run: Callable[..., Any]) -> None:
    assert run("--version").stdout.startswith("secondpass ")


def test_an_unknown_command_is_a_mistake(run: Callable[..., Any]) -> None:
    done = run("serach", "q")
    assert done.returncode == 2
    assert "serach" in done.stderr
