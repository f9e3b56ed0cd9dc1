"""How far long work is, in lines."""

from __future__ import annotations

import pytest

from secondpass.cli import pace


def test_items_pass_through_and_progress_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(pace, "SECONDS_BETWEEN_LINES", -1.0)
    assert list(pace.counted("西安交大", "characters", 4)) == list("西安交大")
    lines = capsys.readouterr().err.splitlines()
    assert lines[1].startswith("2/4 characters, ")
    assert lines[1].endswith(" left")
    assert list(pace.counted([1], "things", None)) == [1]
    assert "left" not in capsys.readouterr().err


def test_quick_work_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(pace.counted(range(1000), "jobs", 1000)) == list(range(1000))
    assert capsys.readouterr().err == ""
