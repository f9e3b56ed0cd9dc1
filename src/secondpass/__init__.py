"""secondpass 精排: retrieve, rerank, answer with citations; Chinese and English; fast on a plain CPU.

>>> from secondpass import rerank_passages
>>> hits = rerank_passages("西安交大在哪里？", ["北京大学在北京。", "西安交通大学在西安。"], top_n=1)
>>> hits[0].chunk.text
'西安交通大学在西安。'

The names below are imported when they are first used, so that ``import secondpass`` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from secondpass.config import ChunkOptions as ChunkOptions
    from secondpass.config import RerankSpec as RerankSpec
    from secondpass.config import RetrieveSpec as RetrieveSpec
    from secondpass.data.collections import read_task as read_task
    from secondpass.errors import SecondpassError as SecondpassError
    from secondpass.evaluate.experiment import evaluate as evaluate_rerankers
    from secondpass.evaluate.options import EvaluationOptions as EvaluationOptions
    from secondpass.evaluate.records import Report as Report
    from secondpass.pipeline import Comparison as Comparison
    from secondpass.pipeline import Pipeline as Pipeline
    from secondpass.pipeline import SearchResult as SearchResult
    from secondpass.types import Answer as Answer
    from secondpass.types import Chunk as Chunk
    from secondpass.types import Citation as Citation
    from secondpass.types import Document as Document
    from secondpass.types import Hit as Hit
    from secondpass.workbench import Workbench as Workbench
    from secondpass.workbench import rerank_passages as rerank_passages

_PLACES = {
    "ChunkOptions": "secondpass.config",
    "RerankSpec": "secondpass.config",
    "RetrieveSpec": "secondpass.config",
    "SecondpassError": "secondpass.errors",
    "Comparison": "secondpass.pipeline",
    "Pipeline": "secondpass.pipeline",
    "SearchResult": "secondpass.pipeline",
    "Answer": "secondpass.types",
    "Chunk": "secondpass.types",
    "Citation": "secondpass.types",
    "Document": "secondpass.types",
    "EvaluationOptions": "secondpass.evaluate.options",
    "Hit": "secondpass.types",
    "Report": "secondpass.evaluate.records",
    "Workbench": "secondpass.workbench",
    "evaluate_rerankers": "secondpass.evaluate.experiment:evaluate",
    "read_task": "secondpass.data.collections",
    "rerank_passages": "secondpass.workbench",
}
__all__ = [
    "Answer",
    "Chunk",
    "ChunkOptions",
    "Citation",
    "Comparison",
    "Document",
    "EvaluationOptions",
    "Hit",
    "Pipeline",
    "Report",
    "RerankSpec",
    "RetrieveSpec",
    "SearchResult",
    "SecondpassError",
    "Workbench",
    "evaluate_rerankers",
    "read_task",
    "rerank_passages",
]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'secondpass' has no attribute {name!r}")
    module, _, attribute = _PLACES[name].partition(":")
    return getattr(importlib.import_module(module), attribute or name)


def __dir__() -> list[str]:
    return __all__
