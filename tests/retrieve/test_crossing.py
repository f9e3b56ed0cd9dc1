"""An index with the package's word vectors answers across languages: a real store, the library and the command."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from secondpass import Workbench
from secondpass.errors import InputError
from secondpass.text.language import language

pytest.importorskip("tokenizers", reason="pip install 'secondpass[onnx]'")

PAGES = {
    "images.md": "# 部署\n\n容器镜像可以部署到任何服务器上。\n",
    "certificates.md": "# 证书\n\n证书由自动程序续期，不用付钱。\n",
    "deployment.md": "# Deployment\n\nA container image can be deployed to any server.\n",
    "prices.md": "# Prices\n\nA ticket costs ten euros.\n",
}


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    for name, text in PAGES.items():
        (tmp_path / "documents").mkdir(exist_ok=True)
        (tmp_path / "documents" / name).write_text(text, encoding="utf-8")
    return tmp_path / "documents"


def test_a_question_finds_what_the_other_language_says_and_only_that(documents: Path, tmp_path: Path) -> None:
    with Workbench(tmp_path / "index", "builtin") as workbench:
        workbench.index(documents)
    with Workbench(tmp_path / "index") as workbench:  # the index knows what it was made with
        found = workbench.search("Who renews a certificate?", None, []).hits
        crossing = [hit for hit in found if hit.stages[0].stage == "crossing"]
        assert "证书" in crossing[0].chunk.text
        assert {language(hit.chunk.text) for hit in crossing} == {"zh"}
        assert crossing[0].stages[0].scale == "cosine"
        own = workbench.search("Who renews a certificate?", "dense@10", []).hits
        assert [language(hit.chunk.text) for hit in own] == ["en", "en", "zh", "zh"]  # an ordinary embedder otherwise
        both = workbench.search("deploying a container", None, []).hits
        assert "container image" in both[0].chunk.text
        assert "容器" in both[1].chunk.text
        assert workbench.retriever()[1] == 20


def test_without_them_it_finds_nothing_there(documents: Path, tmp_path: Path) -> None:
    with Workbench(tmp_path / "index") as workbench:
        workbench.index(documents)
        assert not workbench.search("Who renews a certificate?", None, []).hits
        answer = workbench.ask("Who renews a certificate?")
        *_, streamed = workbench.stream("Who renews a certificate?")
    assert not answer.found
    assert "documents in Chinese, in which bm25 finds little for a question in English" in answer.warnings[-1]
    assert streamed == replace(answer, seconds=streamed.seconds)


def test_nobody_is_told_of_another_language_where_there_is_none(documents: Path, tmp_path: Path) -> None:
    for name in ("images.md", "certificates.md"):
        (documents / name).unlink()
    with Workbench(tmp_path / "index") as workbench:
        workbench.index(documents)
        answer = workbench.ask("Who renews a certificate?")
    assert not answer.found
    assert not any("Chinese" in warning for warning in answer.warnings)


def test_the_command_makes_and_uses_them(documents: Path, tmp_path: Path) -> None:
    index = str(tmp_path / "index")
    command = [sys.executable, "-m", "secondpass"]
    subprocess.run([*command, "index", documents, "--index", index, "--embedder", "builtin"], check=True, timeout=120)
    asked = [*command, "search", "deploy an image", "--index", index, "--no-rerank", "--json"]
    found = json.loads(subprocess.run(asked, check=True, timeout=120, capture_output=True, text=True).stdout)
    assert [Path(hit["chunk"]["doc_id"]).name for hit in found["hits"][:2]] == ["deployment.md", "images.md"]


def test_depths_and_empty_questions_are_as_elsewhere(documents: Path, tmp_path: Path) -> None:
    with Workbench(tmp_path / "index", "builtin") as workbench:
        workbench.index(documents)
        retriever, _ = workbench.retriever("hybrid@3")
        assert retriever.retrieve("  ", 3) == []
        with pytest.raises(InputError, match="top_k is 0"):
            retriever.retrieve("证书", 0)
