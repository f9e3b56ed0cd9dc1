"""The passages of a corpus file as a source of negatives: by their terms, by their vectors, or by both."""

from __future__ import annotations

import functools
import random
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Literal

from secondpass.data.lines import parse_object, read_lines
from secondpass.data.negative_sources import FoundPassage
from secondpass.data.text_store import TextStore
from secondpass.data.work_progress import Progress, no_progress
from secondpass.errors import InputError
from secondpass.retrieve.collection_bm25 import CollectionBM25
from secondpass.retrieve.collection_vectors import CollectionVectors
from secondpass.retrieve.hybrid import MINIMUM_DEPTH, RRF_CONSTANT
from secondpass.types import Chunk, Embedder

CorpusStage = Literal["bm25", "dense", "hybrid"]
_AT_ONCE = 500
_Found = list[tuple[str, float]]


class CorpusSource:
    """The passages of a file, searched by BM25, an embedder's vectors or both; use it in a ``with``.

    Texts, terms and vectors lie in a folder that is gone afterwards; memory holds ids, lengths and the terms' names.
    Lines are ``{"_id" or "id", "text", "title"?}``; without an id the number of the line is one. ``progress`` hears how
    many were read, and encoded.

    Raises:
        InputError: a line is no passage, an id stands twice, or a stage needs an embedder and there is none.
    """

    def __init__(
        self,
        path: str | Path,
        progress: Progress = no_progress,
        stage: CorpusStage = "bm25",
        embedder: Embedder | None = None,
    ) -> None:
        self._path, self._progress, self.stage, self._embedder = str(path), progress, stage, embedder
        if stage != "bm25" and embedder is None:
            raise InputError(f"Passages of a file are found by {stage} with an embedder; name it (--embedder NAME).")
        if Path(path).is_dir():
            names = [Path(path) / name for name in ("corpus.jsonl", "corpus.jsonl.gz")]
            self._path = str(next((name for name in names if name.is_file()), names[0]))
        self._folder = tempfile.TemporaryDirectory(prefix="secondpass-")
        self._texts = TextStore()
        try:
            self._bm25 = CollectionBM25(self._passages(), folder=Path(self._folder.name))
            self._vectors = self._encoded()
        except BaseException:
            self._close()
            raise

    def __enter__(self) -> CorpusSource:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._close()

    def __len__(self) -> int:
        return len(self._bm25)

    @property
    def name(self) -> str:
        """What finds them, with the embedder where there is one."""
        return f"{self.stage} {self._embedder.name}" if self._embedder and self._vectors else self.stage

    def find(self, queries: Sequence[str], top_k: int) -> list[list[FoundPassage]]:
        """Return the ``top_k`` best passages of each question, best first."""
        return [self._with_texts(best) for best in self._best(queries, top_k)]

    def draw(self, count: int, lot: random.Random) -> list[FoundPassage]:
        """Return ``count`` different passages drawn by lot."""
        ids: Sequence[str] = self._bm25.ids
        drawn = lot.sample(ids, min(count, len(ids)))
        texts = self._texts.get(drawn)
        return [FoundPassage(doc_id, texts[doc_id], None, None) for doc_id in drawn]

    def passages(self) -> Iterator[tuple[str, str]]:
        """Yield id and text of every passage, in the file's order."""
        ids: Sequence[str] = self._bm25.ids
        for start in range(0, len(ids), _AT_ONCE):
            part = ids[start : start + _AT_ONCE]
            texts = self._texts.get(part)
            yield from ((doc_id, texts[doc_id]) for doc_id in part)

    def _best(self, queries: Sequence[str], top_k: int) -> list[_Found]:
        if self._vectors is None:
            return [self._bm25.best(query, top_k) for query in queries]
        if self.stage == "dense":
            return self._nearest(queries, top_k)
        depth = max(top_k, MINIMUM_DEPTH)
        nearest = self._nearest(queries, depth)
        terms = (self._bm25.best(query, depth) for query in queries)
        return [_fused(pair, top_k) for pair in zip(terms, nearest, strict=True)]

    def _nearest(self, queries: Sequence[str], top_k: int) -> list[_Found]:
        assert self._vectors is not None
        ids = self._bm25.ids
        return [[(ids[row], score) for row, score in best] for best in self._vectors.best(queries, top_k)]

    def _with_texts(self, best: _Found) -> list[FoundPassage]:
        texts = self._texts.get([doc_id for doc_id, _ in best])
        return [FoundPassage(doc_id, texts[doc_id], rank, score) for rank, (doc_id, score) in enumerate(best, start=1)]

    def _encoded(self) -> CollectionVectors | None:
        if self.stage == "bm25" or self._embedder is None:
            return None
        said = functools.partial(self._said, "passages of the corpus encoded")
        texts = (text for _, text in self.passages())
        return CollectionVectors(texts, self._embedder, Path(self._folder.name) / "vectors", said)

    def _said(self, what: str, done: int) -> None:
        self._progress(what, done, len(self))

    def _close(self) -> None:
        self._texts.close()
        self._folder.cleanup()

    def _passages(self) -> Iterator[Chunk]:
        for done, (number, line) in enumerate(read_lines(self._path), start=1):
            place = f"{self._path}:{number}"
            record = parse_object(line, place)
            doc_id, text = str(record.get("_id", record.get("id", number))), record.get("text")
            if not isinstance(text, str):
                raise InputError(f'{place}: there is no "text"; accepted is {{"_id"?, "text", "title"?}}.')
            joined = f"{record.get('title') or ''} {text}".strip()
            if not joined:
                continue
            first = self._texts.put(doc_id, joined, number)
            if first is not None:
                raise InputError(f"{place}: the id {doc_id!r} stands on line {first} too.")
            self._progress("passages of the corpus read", done, None)
            yield Chunk(doc_id, joined, doc_id, 0, len(joined))


def _fused(stages: Sequence[_Found], top_k: int) -> _Found:
    """Return the best by the sum of ``1 / (60 + rank)``, as `HybridRetriever`; ties keep the first stage's order."""
    scores: defaultdict[str, float] = defaultdict(float)
    for found in stages:
        for rank, (doc_id, _) in enumerate(found, start=1):
            scores[doc_id] += 1 / (RRF_CONSTANT + rank)
    return sorted(scores.items(), key=lambda one: -one[1])[:top_k]
