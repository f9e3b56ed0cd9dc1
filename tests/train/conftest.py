"""Tiny models and something to learn."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tests.models.tiny_models import Shape, make_model
from tests.train.lessons import write_lessons


@pytest.fixture(scope="session")
def reranker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random BERT classifier of two layers."""
    return make_model(tmp_path_factory.mktemp("train") / "reranker", Shape("bert", layers=2))


@pytest.fixture(scope="session")
def embedder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same kind of encoder without a head, as embedders are published."""
    folder = make_model(tmp_path_factory.mktemp("train") / "嵌入", Shape("bert", layers=2, seed=11))
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps(config | {"architectures": ["BertModel"]}), encoding="utf-8")
    weights = load_file(folder / "model.safetensors")
    kept = {name.removeprefix("bert."): value for name, value in weights.items() if name.startswith("bert.")}
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


@pytest.fixture(scope="session")
def lessons(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with train.jsonl, dev.jsonl and general.jsonl."""
    folder = tmp_path_factory.mktemp("lessons")
    write_lessons(folder / "train.jsonl", 24)
    write_lessons(folder / "dev.jsonl", 12, start=100)
    write_lessons(folder / "general.jsonl", 8, start=200)
    return folder


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """Tiny models are slower on several."""
    torch.set_num_threads(1)
