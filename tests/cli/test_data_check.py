"""``secondpass data check`` as a person meets it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any


def test_a_spoiled_file_is_told_and_mended(run: Callable[..., Any], tmp_path: Path) -> None:
    lines = [
        {
            "query": "城墙有多长？",
            "pos": ["西安城墙周长约十四公里。"],
            "neg": ["西安城墙，周长约十四公里！", "钟楼在市中心。"],
        },
        {"query": "钟楼在哪里？", "pos": ["钟楼在市中心。"], "neg": ["西安城墙周长约十四公里。"]},
        {"query": "钟楼在哪里？", "pos": ["钟楼"], "negs": []},
    ]
    (tmp_path / "train.jsonl").write_text(
        "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8"
    )
    done = run("data", "check", "train.jsonl", "--fix", "clean.jsonl", "--quiet")
    assert done.returncode == 1, done.stderr
    assert "negatives that are a positive of their row" in done.stdout
    assert "train.jsonl:1" in done.stdout
    assert "did you mean 'neg'" in done.stderr
    assert "1 negatives that are a positive of their row, left out" in done.stderr
    again = run("data", "check", "clean.jsonl", "--dev", "train.jsonl", "--json", "--teacher", "none")
    report = json.loads(again.stdout)
    assert {finding["name"] for finding in report["findings"]} >= {"query_leaks", "bad_lines"}
    clean = run("data", "check", "clean.jsonl", "--json")
    assert clean.returncode == 0, clean.stdout
    assert json.loads(clean.stdout)["rows"] == 2
