"""``secondpass data convert`` as a person meets it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any


def test_a_file_is_converted_and_what_is_lost_is_said(run: Callable[..., Any], tmp_path: Path) -> None:
    lines = [
        {"query": "西安在哪里？", "pos": ["西安在陕西省。"], "neg": ["北京"], "prompt": "找"},
        {"query": "西安在哪里？", "pos": "西安", "neg": []},
    ]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    done = run("data", "convert", "in.jsonl", "out.jsonl", "--to", "triplets")
    assert done.returncode == 1, done.stderr
    assert 'in.jsonl:2: "pos" is a text' in done.stderr
    assert "1 examples that lost their prompt" in done.stderr
    assert "flag -> triplets: 1 examples in 1 rows" in done.stderr
    assert json.loads((tmp_path / "out.jsonl").read_text(encoding="utf-8"))["positive"] == "西安在陕西省。"
    strict = run("data", "convert", "in.jsonl", "new.jsonl", "--strict")
    assert strict.returncode == 2
    assert "in.jsonl:2" in strict.stderr
    assert not (tmp_path / "new.jsonl").exists()


def test_a_table_passes_through_a_pipe(run: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "qa.csv").write_text("question,answer,source\n西安？,城墙,网\n", encoding="utf-8")
    columns = ["--column", "query=question", "--column", "positive=answer"]
    done = run("data", "convert", "qa.csv", "-", "--ignore", "source", *columns)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"query": "西安？", "pos": ["城墙"], "neg": []}
    back = run("data", "convert", "-", "-", "--to", "lists", stdin=done.stdout)
    assert json.loads(back.stdout) == {"query": "西安？", "docs": ["城墙"], "labels": [1]}
    refused = run("data", "convert", "qa.csv", "-", *columns[:2])
    assert refused.returncode == 2
    assert "qa.csv:2" in refused.stderr
