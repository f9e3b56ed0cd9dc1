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


def test_of_a_folder_the_training_split_is_held_against_the_development_split(
    run: Callable[..., Any], tmp_path: Path
) -> None:
    questions = [("钟楼在哪里？", "train"), ("城墙有多长？", "dev"), ("How long is the wall?", "train")]
    queries = [{"_id": f"q{n}", "text": text, "split": split} for n, (text, split) in enumerate(questions)]
    corpus = [{"_id": f"p{n}", "text": f"第{n}段"} for n in range(3)]
    for name, lines in (("queries.jsonl", queries), ("corpus.jsonl", corpus)):
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "qrels.tsv").write_text("".join(f"q{n}\t0\tp{n}\t1\n" for n in range(3)), encoding="utf-8")
    done = run("data", "check", ".", "--dev", ".", "--teacher", "none", "--json")
    report = json.loads(done.stdout)
    assert (report["rows"], report["facts"]["dev_rows"]) == (2, 1)
    assert not [finding for finding in report["findings"] if "leak" in finding["name"]]
    assert "note: of the splits of queries.jsonl (train, dev), train is taken" in done.stderr
