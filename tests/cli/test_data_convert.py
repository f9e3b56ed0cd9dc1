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


def test_qrels_and_a_run_become_examples_and_a_split_of_a_file_is_refused(
    run: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "q.tsv").write_text("q1\t西安在哪里？\n", encoding="utf-8")
    (tmp_path / "c.jsonl").write_text(
        "".join(json.dumps({"_id": f"d{n}", "text": f"第{n}段"}) + "\n" for n in range(3)), encoding="utf-8"
    )
    (tmp_path / "qrels").write_text("q1 0 d1 1\n", encoding="utf-8")
    (tmp_path / "run").write_text("q1 Q0 d2 1 9 t\nq1 Q0 d1 2 8 t\nq1 Q0 gone 3 7 t\n", encoding="utf-8")
    files = ["--qrels", "qrels", "--run", "run", "--corpus", "c.jsonl", "--queries", "q.tsv"]
    done = run("data", "convert", "-", "-", *files, "--to", "lists")
    assert json.loads(done.stdout) == {"query": "西安在哪里？", "docs": ["第1段", "第2段"], "labels": [1, 0]}
    assert done.returncode == 1
    assert "1 passages of 'q1' are not in c.jsonl: gone" in done.stderr
    refused = run("data", "convert", "c.jsonl", "-", "--split", "dev")
    assert refused.returncode == 2
    assert "belong to a collection" in refused.stderr
