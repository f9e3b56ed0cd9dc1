"""``secondpass data mine`` as a person meets it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from secondpass.cli.main import main


def test_an_index_is_mined(run: Callable[..., Any], indexed: Path, tmp_path: Path) -> None:
    line = {"query": "西安交大由哪几个学校合并的", "pos": ["2000年三校合并，组建新的西安交通大学。"], "neg": []}
    (tmp_path / "train.jsonl").write_text(json.dumps(line, ensure_ascii=False) + "\n", encoding="utf-8")
    index = str(indexed / ".secondpass")
    arguments = ["--index", index, "--retrieve", "bm25", "--ranks", "3-20", "--negatives", "4", "--json"]
    done = run("data", "mine", "train.jsonl", "out.jsonl", *arguments)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["mined"] == 4
    out = json.loads((tmp_path / "out.jsonl").read_text(encoding="utf-8"))
    assert [one["source"] for one in out["provenance"]["negatives"]] == ["bm25"] * 4
    refused = run("data", "mine", "train.jsonl", "o2.jsonl", "--index", index, "--fill-random", "--ranks", "1-1")
    assert refused.returncode == 2
    assert "--corpus-file" in refused.stderr
    assert run("data", "mine", "train.jsonl", "o3.jsonl").returncode == 2


def test_a_killed_run_goes_on_and_ends_like_an_undisturbed_one(run: Callable[..., Any], tmp_path: Path) -> None:
    corpus = [
        {"_id": f"d{n}", "text": f"第{n}段讲的是第{n % 40}件事，内容是{n * 7919 % 1000}。" * 2} for n in range(400)
    ]
    rows = [{"query": f"第{n % 40}件事是什么，第{n}问", "pos": [corpus[n]["text"]]} for n in range(150)]
    for name, lines in (("corpus.jsonl", corpus), ("train.jsonl", rows)):
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        (tmp_path / name).write_text(text, encoding="utf-8")
    arguments = ["--corpus-file", "corpus.jsonl", "--teacher", "lexical", "-q"]
    command = [sys.executable, "-m", "secondpass", "data", "mine", "train.jsonl", "out.jsonl", *arguments]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    part = tmp_path / "out.jsonl.part"
    while process.poll() is None and (not part.exists() or part.stat().st_size < 5_000):
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert part.exists()
    done = run("data", "mine", "train.jsonl", "out.jsonl", *arguments)
    assert done.returncode == 0, done.stderr
    assert "rows were done before" in done.stdout
    run("data", "mine", "train.jsonl", "whole.jsonl", *arguments)
    assert (tmp_path / "out.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


def test_what_a_file_cannot_be_searched_by_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "语料.jsonl").write_text('{"text": "西安城墙"}\n', encoding="utf-8")
    (tmp_path / "train.jsonl").write_text('{"query": "城墙", "pos": ["墙"], "neg": []}\n', encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    for arguments, said in (
        (["--retrieve", "colbert"], "'colbert'; a file is searched by bm25, dense, hybrid, and an index by colbert"),
        (["--retrieve", "dense"], "found by dense with an embedder; name it (--embedder NAME)"),
        (["--retrieve", "bm25", "--embedder", "m"], "bm25 needs no embedder"),
    ):
        command = ["secondpass", "data", "mine", "train.jsonl", "out.jsonl", "--corpus-file", "语料.jsonl", *arguments]
        monkeypatch.setattr("sys.argv", command)
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 2
        assert said in capsys.readouterr().err
