"""Families of tiny random models: a base, and children that are near it as fine-tuned models are."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file
from tests.models.tiny_models import Shape, make_model

Tensors = dict[str, np.ndarray[Any, Any]]
WEIGHTS = "model.safetensors"
EXAMPLES = (
    {
        "query": "谁发明了电话？",
        "pos": ["谁发明了电话？贝尔在1876年获得了专利。"],
        "neg": ["长江全长六千三百公里，是亚洲最长的河流。", "今天下雨，路上的行人都打着伞。", "北京是首都。"],
    },
    {
        "query": "西安交大由哪几个学校合并？",
        "pos": ["西安交通大学由三所学校合并组建。", "三所学校合并。"],
        "neg": ["这家餐馆的麻婆豆腐很有名。", "It rained all day.", "机器学习需要大量的数据和计算资源。"],
    },
    {
        "query": "How do I change the port of the development server?",
        "pos": ["Set the environment variable PORT before you start the server."],
        "neg": ["The museum is closed on Mondays.", "The Yangtze is the longest river in Asia.", "请保存文件。"],
    },
)


def make_family(place: Path, kind: str = "xlm-roberta", children: int = 2, spread: float = 0.02) -> list[Path]:
    """Write ``base`` and ``child1`` ... below ``place`` and return the folders, the base first."""
    base = make_model(place / "base", Shape(kind))
    folders = [base]
    for number in range(1, children + 1):
        child = place / f"child{number}"
        shutil.copytree(base, child, dirs_exist_ok=True)
        change(child, lambda tensors, seed=number: moved(tensors, spread, seed))
        folders.append(child)
    return folders


def moved(tensors: Tensors, spread: float, seed: int) -> Tensors:
    """Return the tensors with a little seeded noise."""
    rng = np.random.default_rng(seed)
    return {
        name: (tensor + spread * rng.standard_normal(tensor.shape)).astype(tensor.dtype)
        for name, tensor in sorted(tensors.items())
    }


def change(folder: Path, how: Any, file: str = WEIGHTS) -> Path:
    """Replace the tensors of a folder by what ``how`` makes of them."""
    tensors = how(load_file(folder / file))
    save_file(tensors, folder / file, metadata={"format": "pt"})
    return folder


def change_json(folder: Path, file: str, changes: Mapping[str, Any]) -> Path:
    """Replace fields of a JSON file; None removes one."""
    content = json.loads((folder / file).read_text(encoding="utf-8")) | changes
    content = {key: value for key, value in content.items() if value is not None}
    (folder / file).write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    return folder


def as_embedder(folder: Path) -> Path:
    """Make of a classifier's folder a bi-encoder that takes the first token's vector, in place."""
    prefix = "bert." if json.loads((folder / "config.json").read_text())["model_type"] == "bert" else "roberta."
    change(folder, lambda tensors: {
        name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)
    })  # fmt: skip
    architecture = {"bert.": "BertModel", "roberta.": "XLMRobertaModel"}[prefix]
    change_json(folder, "config.json", {"architectures": [architecture], "id2label": None, "label2id": None})
    modules = [
        {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
        {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
        {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"},
    ]
    (folder / "modules.json").write_text(json.dumps(modules), encoding="utf-8")
    (folder / "1_Pooling").mkdir(exist_ok=True)
    pooling = {"word_embedding_dimension": 32, "pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling), encoding="utf-8")
    return folder


def read_tensors(folder: Path) -> Tensors:
    """Return all tensors of a folder's safetensors files, read by their own library."""
    tensors: Tensors = {}
    for path in sorted(folder.rglob("*.safetensors")):
        tensors |= load_file(path)
    return tensors
