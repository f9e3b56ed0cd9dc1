"""Caches of both hubs with tiny random models under the names that the pages use.

Every command of the pages then runs as it is printed: the name is resolved, the model is opened and read. What the
random weights say of a passage means nothing, and no test looks at it.
"""

from __future__ import annotations

from pathlib import Path

from tests.models.colbert_checkpoints import write_stanford
from tests.models.tiny_causal import make_causal
from tests.models.tiny_models import Shape, make_model
from tests.models.tiny_seq2seq import make_seq2seq

COMMIT = "89abcdef0123456789abcdef0123456789abcdef"


def fill_caches(huggingface: Path, modelscope: Path) -> None:
    """Write the models into the two caches, laid out as the hubs' own libraries do."""
    for seed, name in enumerate(
        ("BAAI/bge-reranker-base", "BAAI/bge-reranker-v2-m3", "maidalun1020/bce-reranker-base_v1")
    ):
        make_model(_snapshot(huggingface, name), Shape("xlm-roberta", seed=seed))
    make_model(_snapshot(huggingface, "cross-encoder/ms-marco-MiniLM-L6-v2"), Shape("bert"))
    make_causal(_snapshot(huggingface, "Qwen/Qwen3-Reranker-0.6B"), "qwen3")
    make_causal(_snapshot(huggingface, "Qwen/Qwen3-0.6B"), "qwen3", seed=12)
    layers = {"num_hidden_layers": 20, "start_layer": 8}
    make_causal(_snapshot(huggingface, "BAAI/bge-reranker-v2-minicpm-layerwise"), "minicpm", **layers)
    make_causal(_snapshot(huggingface, "BAAI/bge-reranker-v2.5-gemma2-lightweight"), "gemma2", **layers)
    make_seq2seq(_snapshot(huggingface, "castorini/monot5-base-msmarco"))
    make_seq2seq(_snapshot(huggingface, "castorini/duot5-base-msmarco"))
    write_stanford(_snapshot(huggingface, "colbert-ir/colbertv2.0"))
    make_model(modelscope / "models" / "AI-ModelScope" / "bge-reranker-v2-m3", Shape("xlm-roberta"))


def _snapshot(cache: Path, name: str) -> Path:
    """Make the folder of a snapshot, and the reference that says that it is the newest."""
    repository = cache / f"models--{name.replace('/', '--')}"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(COMMIT, encoding="utf-8")
    return repository / "snapshots" / COMMIT
