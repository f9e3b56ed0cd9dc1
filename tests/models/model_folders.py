"""Small folders that look like models of every kind, and both hubs' caches with them; nothing in them is trained."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

COMMIT = "89abcdef0123456789abcdef0123456789abcdef"
CROSS_ENCODER = {"architectures": ["XLMRobertaForSequenceClassification"], "model_type": "xlm-roberta"}
ONE_LABEL = {**CROSS_ENCODER, "id2label": {"0": "LABEL_0"}}


def write_model(
    folder: Path, config: Mapping[str, Any] | None = None, others: Mapping[str, str] | None = None, size: int = 64
) -> Path:
    """Write settings, tokenizer and ``size`` x ``size`` weights with a head as large as ``config`` says."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = dict(config or ONE_LABEL)
    write_json(folder / "config.json", settings)
    write_json(folder / "tokenizer.json", {"version": "1.0", "model": {"type": "WordLevel", "vocab": {"三校": 0}}})
    rng = np.random.default_rng(7)
    tensors = {
        "embeddings.weight": rng.normal(size=(size, size)).astype(np.float32),
        "encoder.weight": rng.normal(size=(size, size)).astype(np.float32),
    }
    if any(name.endswith("ForSequenceClassification") for name in settings.get("architectures", [])):
        labels = len(settings.get("id2label", {"0": "", "1": ""}))
        tensors["classifier.weight"] = rng.normal(size=(labels, 8)).astype(np.float32)
    save_file(tensors, folder / "model.safetensors")
    for name, text in (others or {}).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def write_json(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")


def into_huggingface_cache(cache: Path, name: str, commit: str = COMMIT, main: bool = True) -> Path:
    """Lay a model into a cache as the hub's own library does: blobs, links to them, and refs/main."""
    repository = cache / f"models--{name.replace('/', '--')}"
    model = write_model(repository / "made")
    snapshot = repository / "snapshots" / commit
    snapshot.mkdir(parents=True)
    (repository / "blobs").mkdir(exist_ok=True)
    for number, path in enumerate(sorted(model.iterdir())):
        blob = repository / "blobs" / f"{number:040x}"
        path.replace(blob)
        (snapshot / path.name).symlink_to(Path("../../blobs") / blob.name)
    model.rmdir()
    if main:
        (repository / "refs").mkdir(exist_ok=True)
        (repository / "refs" / "main").write_text(commit, encoding="utf-8")
    return snapshot
