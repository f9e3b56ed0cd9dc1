"""``secondpass index``: what changed, what was left out, and mistakes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any


def test_indexing_again_does_only_what_changed(run_json: Callable[..., Any], tmp_path: Path) -> None:
    folder = tmp_path / "文档"
    folder.mkdir()
    (folder / "西安.md").write_text("# 西安\n\n西安是陕西省的省会。", encoding="gb18030")
    (folder / "b.txt").write_text("Paris is the capital of France.", encoding="utf-8")
    first = run_json("index", "文档", cwd=tmp_path)
    assert (first["run"]["added"], first["documents"]) == (2, 2)
    (folder / "b.txt").unlink()
    (folder / "西安.md").write_text("# 西安\n\n西安古称长安。", encoding="utf-8")
    second = run_json("index", "文档", cwd=tmp_path)
    counts = [second["run"][name] for name in ("added", "changed", "deleted")]
    assert (counts, second["documents"]) == ([0, 1, 1], 1)
    third = run_json("index", "文档", cwd=tmp_path)
    assert (third["run"]["unchanged"], third["chunks"]) == (1, 1)
    assert "长安" in run_json("search", "古称", cwd=tmp_path)["hits"][0]["chunk"]["text"]


def test_what_is_left_out_is_named_with_its_reason(run: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "good.txt").write_text("西安。", encoding="utf-8")
    (tmp_path / "binary.md").write_bytes(bytes(range(256)) * 4)
    (tmp_path / "empty.md").write_bytes(b"")
    done = run("index", ".")
    assert done.returncode == 1
    assert "1 documents, 1 chunks" in done.stdout
    assert "binary.md" in done.stderr
    assert "empty.md" in done.stderr


def test_an_empty_folder_makes_an_empty_index_and_says_so(run: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = run("index", "empty")
    assert "0 documents, 0 chunks" in done.stdout
    assert "no documents" in done.stderr
    assert done.returncode == 1


def test_a_folder_that_is_not_there_is_a_mistake(run: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "documents").mkdir()
    done = run("index", "documnets")
    assert done.returncode == 2
    assert "documnets" in done.stderr
    assert not (tmp_path / ".secondpass" / "manifest.json").exists() or "Traceback" not in done.stderr


def test_other_chunk_options_than_the_index_was_built_with_are_refused(run: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("西安。", encoding="utf-8")
    assert run("index", "a.txt").returncode == 0
    refused = run("index", "a.txt", "--max-tokens", "64")
    assert refused.returncode == 2
    assert "--rebuild" in refused.stderr
    assert run("index", "a.txt", "--max-tokens", "64", "--rebuild").returncode == 0
