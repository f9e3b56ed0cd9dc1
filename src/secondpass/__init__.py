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
    from secondpass.errors import SecondpassError as SecondpassError
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
    "Hit": "secondpass.types",
    "Workbench": "secondpass.workbench",
    "rerank_passages": "secondpass.workbench",
}
__all__ = [
    "Answer",
    "Chunk",
    "ChunkOptions",
    "Citation",
    "Comparison",
    "Document",
    "Hit",
    "Pipeline",
    "RerankSpec",
    "RetrieveSpec",
    "SearchResult",
    "SecondpassError",
    "Workbench",
    "rerank_passages",
]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'secondpass' has no attribute {name!r}")
    return getattr(importlib.import_module(_PLACES[name]), name)


def __dir__() -> list[str]:
    return __all__
