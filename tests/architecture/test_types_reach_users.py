"""The package carries its types: a type checker finds a user's mistake."""

from __future__ import annotations

from pathlib import Path

from mypy import api

RIGHT = """
import secondpass

hits = secondpass.rerank_passages("西安", ["北京", "西安"], top_n=1)
text: str = hits[0].chunk.text
"""
WRONG = RIGHT.replace("text: str", "text: int")


def check(tmp_path: Path, program: str) -> tuple[str, int]:
    path = tmp_path / "program.py"
    path.write_text(program, encoding="utf-8")
    output, _, code = api.run(["--strict", "--config-file=", f"--cache-dir={tmp_path}/cache", str(path)])
    return output, code


def test_a_right_program_passes_and_a_wrong_one_does_not(tmp_path: Path) -> None:
    output, code = check(tmp_path, RIGHT)
    assert code == 0, output
    output, code = check(tmp_path, WRONG)
    assert code == 1
    assert "Incompatible types" in output
