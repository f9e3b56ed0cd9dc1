"""What others published of MTEB's reranking tasks, to stand beside our figures."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class PublishedFigure:
    """The MAP of one model on one whole task, between 0 and 1, and where it was published.

    To be held against figures of the whole task alone, not of a sample. ``kind``: a ``bi-encoder`` orders the same
    lists by cosine, a ``cross-encoder`` reads pairs, ``listwise`` reads several passages at a time.
    """

    task: str
    model: str
    kind: str
    map: float
    source: str


def published_figures(task: str) -> tuple[PublishedFigure, ...]:
    """Return what is known of a task, the highest MAP first; nothing for most tasks.

    BM25's stored results are left out: for the Chinese tasks they come from a tokenizer that did not cut Chinese.

    >>> published_figures("T2Reranking")[0].model, published_figures("SciDocsRR")
    ('jina-reranker-v3', ())
    """
    return tuple(sorted((found for found in _table() if found.task == task), key=lambda found: -found.map))


@cache
def _table() -> tuple[PublishedFigure, ...]:
    lines = files("secondpass.evaluate").joinpath("mteb_reference.tsv").read_text(encoding="utf-8").splitlines()
    rows = (line.split("\t") for line in lines if not line.startswith("#"))
    return tuple(
        PublishedFigure(task, model, kind, float(percent) / 100, source) for task, model, kind, percent, source in rows
    )
