"""A folder with the examples, both hubs' caches of tiny models, and servers: where the code of the pages runs."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tests.docs.model_caches import fill_caches
from tests.docs.pages import ROOT
from tests.merge.families import make_family
from tests.models.tiny_models import Shape, make_model

KIN = ("my-base-reranker", "my-tuned-reranker", "my-other-reranker")
RunPage = Callable[[list[dict[str, Any]], dict[str, str]], list[dict[str, Any]]]


def make_kin(folder: Path) -> None:
    """Write a base and two models tuned from it."""
    for made, name in zip(make_family(folder / "family"), KIN, strict=True):
        made.rename(folder / name)


@pytest.fixture(scope="session")
def caches(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of somebody who has fetched the models that the pages name, and has no network."""
    root = tmp_path_factory.mktemp("caches")
    fill_caches(root / "huggingface", root / "modelscope")
    return {
        "HF_HUB_CACHE": str(root / "huggingface"),
        "MODELSCOPE_CACHE": str(root / "modelscope"),
        "SECONDPASS_CACHE": str(root / "secondpass"),
        "SECONDPASS_OFFLINE": "1",
    }


@pytest.fixture(scope="session")
def rerank_url() -> Iterator[str]:
    """The address of a server that speaks as the rerank services do, in a process of its own."""
    spec = importlib.util.spec_from_file_location("rerank_server", ROOT / "tests" / "rerank" / "rerank_server.py")
    assert spec is not None
    assert spec.loader is not None
    module: ModuleType = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with module.running() as url:
        yield url


@pytest.fixture(scope="session")
def run_page(
    tmp_path_factory: pytest.TempPathFactory, caches: dict[str, str], rerank_url: str, server_url: str
) -> RunPage:
    """Run the code of a page in a folder of its own, with the pages' servers replaced by those of the tests."""
    # Whatever else a page says about a server, these are the words that lead there.
    replaced = {
        "http://localhost:8080": f"{rerank_url}/tei",
        "http://localhost:8000/v1": server_url,
        "http://localhost:8000": f"{rerank_url}/vllm",
        "http://localhost:9997": f"{rerank_url}/xinference",
        "qwen2:7b-instruct-q4_0": "rank",
        "openai/MODEL": "openai/rank",
    }

    def run(jobs: list[dict[str, Any]], files: dict[str, str]) -> list[dict[str, Any]]:
        folder = tmp_path_factory.mktemp("page")
        for name in ("examples", "configs"):
            shutil.copytree(ROOT / name, folder / name)
        make_model(folder / "my-reranker", Shape("xlm-roberta"))
        make_kin(folder)
        for name, text in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
        text = json.dumps(jobs, ensure_ascii=False)
        for shown, here in replaced.items():
            text = text.replace(shown, here)
        done = subprocess.run(
            [sys.executable, str(ROOT / "tests" / "docs" / "run_page.py")],
            cwd=folder, env={**os.environ, **caches, "OLLAMA_URL": server_url, "PYTHONPATH": "."},
            input=text, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        answers: list[dict[str, Any]] = json.loads(done.stdout)
        return answers

    return run
