"""Where negatives come from: a corpus file searched by BM25, or any retriever of an index."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol

from secondpass.data.lines import parse_object, read_lines
from secondpass.data.text_store import TextStore
from secondpass.errors import InputError
from secondpass.retrieve.collection_bm25 import CollectionBM25
from secondpass.types import Chunk, Retriever

_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class FoundPassage:
    """A passage found for a question: its rank (1 = best; None: drawn by lot) and the score of what found it."""

    id: str
    text: str
    rank: int | None
    score: float | None


class NegativeSource(Protocol):
    """Finds passages for questions."""

    @property
    def name(self) -> str:
        """What finds them."""
        ...

    def find(self, query: str, top_k: int) -> list[FoundPassage]:
        """Return the ``top_k`` best passages, best first."""
        ...

    def draw(self, count: int, lot: random.Random) -> list[FoundPassage]:
        """Return ``count`` passages drawn by lot.

        Raises:
            InputError: the source cannot draw.
        """
        ...


class IndexSource:
    """Passages of an index, found by one of its retrievers."""

    def __init__(self, retriever: Retriever) -> None:
        self._retriever = retriever

    @property
    def name(self) -> str:
        """The retriever's name."""
        return self._retriever.name

    def find(self, query: str, top_k: int) -> list[FoundPassage]:
        """Return the ``top_k`` best passages, best first."""
        hits = self._retriever.retrieve(query, top_k)
        return [FoundPassage(hit.chunk.id, hit.chunk.text, rank, hit.score) for rank, hit in enumerate(hits, start=1)]

    def draw(self, count: int, lot: random.Random) -> list[FoundPassage]:  # noqa: ARG002 - the protocol's
        """Refuse."""
        raise InputError("Passages are drawn by lot from a corpus file (--corpus-file), not from an index.")


class CorpusSource:
    """The passages of a file, searched by BM25: terms in memory, texts on the disk; use it in a ``with``.

    Lines are ``{"_id" or "id", "text", "title"?}``; without an id the number of the line is one. ``progress`` hears how
    many were read.

    Raises:
        InputError: a line is no passage, or an id stands twice.
    """

    name = "bm25"

    def __init__(self, path: str | Path, progress: Callable[[int], None] | None = None) -> None:
        self._path, self._progress = str(path), progress
        if Path(path).is_dir():
            names = [Path(path) / name for name in ("corpus.jsonl", "corpus.jsonl.gz")]
            self._path = str(next((name for name in names if name.is_file()), names[0]))
        self._texts = TextStore()
        try:
            self._index = CollectionBM25(self._passages())
        except BaseException:
            self._texts.close()
            raise

    def __enter__(self) -> CorpusSource:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._texts.close()

    def __len__(self) -> int:
        return len(self._index)

    def find(self, query: str, top_k: int) -> list[FoundPassage]:
        """Return the ``top_k`` best passages, best first."""
        best = self._index.best(query, top_k)
        texts = self._texts.get([doc_id for doc_id, _ in best])
        return [FoundPassage(doc_id, texts[doc_id], rank, score) for rank, (doc_id, score) in enumerate(best, start=1)]

    def draw(self, count: int, lot: random.Random) -> list[FoundPassage]:
        """Return ``count`` different passages drawn by lot."""
        ids: Sequence[str] = self._index.ids
        drawn = lot.sample(ids, min(count, len(ids)))
        texts = self._texts.get(drawn)
        return [FoundPassage(doc_id, texts[doc_id], None, None) for doc_id in drawn]

    def passages(self) -> Iterator[tuple[str, str]]:
        """Yield id and text of every passage, in the file's order."""
        ids: Sequence[str] = self._index.ids
        for start in range(0, len(ids), _AT_ONCE):
            part = ids[start : start + _AT_ONCE]
            texts = self._texts.get(part)
            yield from ((doc_id, texts[doc_id]) for doc_id in part)

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
            if self._progress:
                self._progress(done)
            yield Chunk(doc_id, joined, doc_id, 0, len(joined))
