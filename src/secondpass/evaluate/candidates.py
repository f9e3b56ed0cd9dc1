"""The questions of a task that are measured, and the passages that every system gets to order.

A task without lists gets them from our BM25 over its passages. What is left out is counted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache

from secondpass.data.task_assembly import hash_order
from secondpass.data.tasks import Candidate, RankingTask
from secondpass.errors import InputError
from secondpass.retrieve.collection_bm25 import CollectionBM25
from secondpass.types import Chunk, Qrels

_DIGEST_BYTES = 16
_PASSAGES_REMEMBERED = 100_000


@dataclass(frozen=True, slots=True, eq=False)
class QuestionList:
    """A question and the passages to order; ``digest`` changes with its text, their ids, order, scores and texts."""

    query_id: str
    query: str
    candidates: tuple[Candidate, ...]
    digest: bytes

    @property
    def doc_ids(self) -> list[str]:
        """The candidates' ids in their order."""
        return [candidate.doc_id for candidate in self.candidates]


class TaskLists:
    """A task as it is measured: ``sample`` of its judged questions (None: all), drawn by ``seed``, with their lists.

    ``query_ids``: the measured questions, those without candidates too. ``dropped`` counts what was left out, by
    reason.

    Raises:
        InputError: there is no question to measure.
    """

    def __init__(self, task: RankingTask, sample: int | None = None, seed: int = 13, top_k: int = 100) -> None:
        self.task = task
        judged = [query_id for query_id in task.queries if query_id in task.qrels]
        if not judged:
            raise InputError(
                f"The task {task.name!r} has {len(task.queries):,} questions, and judgements of {len(task.qrels):,}, "
                "but none of these questions is judged; give the relevant passages of its questions (qrels)."
            )
        self.of_queries = len(judged)
        self.query_ids = _drawn(judged, sample, seed)
        self.retrieved = not task.candidates
        self.dropped = {reason: count for reason, count in task.skipped.items() if count}
        self._top_k = top_k
        self._passage_digest = lru_cache(_PASSAGES_REMEMBERED)(self._digest_of_passage)
        self._count("questions without a judgement", len(task.queries) - len(judged))
        self._candidates = {query_id: self._listed(query_id) for query_id in self.query_ids}
        self._digests = {query_id: self._digest(query_id) for query_id in self.query_ids}

    @property
    def name(self) -> str:
        """The task's name."""
        return self.task.name

    @property
    def passages(self) -> Mapping[str, Chunk]:
        """The collection."""
        return self.task.passages

    @cached_property
    def bm25(self) -> CollectionBM25:
        """Our BM25 over the collection; made when it is first asked for."""
        return CollectionBM25(passage_of(self.passages, doc_id) for doc_id in self.passages)

    @cached_property
    def collection_hash(self) -> str:
        """Digits that change with the collection, on which BM25's scores depend."""
        digest = hashlib.blake2b(digest_size=_DIGEST_BYTES)
        for doc_id, passage in self.passages.items():
            _add_texts(digest, doc_id, passage.title, passage.text)
        return digest.hexdigest()

    @property
    def qrels(self) -> Qrels:
        """The judgements of the measured questions."""
        return {query_id: self.task.qrels[query_id] for query_id in self.query_ids}

    @property
    def with_candidates(self) -> list[str]:
        """The measured questions that have candidates."""
        return [query_id for query_id in self.query_ids if self._candidates[query_id]]

    @property
    def pairs(self) -> int:
        """How many candidates all lists have together."""
        return sum(map(len, self._candidates.values()))

    @property
    def candidates_hash(self) -> str:
        """16 digits of questions, candidates and their texts."""
        digest = hashlib.blake2b(digest_size=8)
        for query_id in self.query_ids:
            digest.update(self._digests[query_id])
        return digest.hexdigest()

    def question(self, query_id: str) -> QuestionList:
        """Return one question with its list."""
        return QuestionList(query_id, self.task.queries[query_id], self._candidates[query_id], self._digests[query_id])

    def __iter__(self) -> Iterator[QuestionList]:
        """Yield the questions that have candidates."""
        return (self.question(query_id) for query_id in self.with_candidates)

    def _listed(self, query_id: str) -> tuple[Candidate, ...]:
        if self.retrieved:
            query = self.task.queries[query_id]
            return tuple(Candidate(doc_id, score) for doc_id, score in self.bm25.best(query, self._top_k))
        given = self.task.candidates.get(query_id, ())
        different: dict[str, Candidate] = {}
        for candidate in given:
            different.setdefault(candidate.doc_id, candidate)
        known = tuple(candidate for doc_id, candidate in different.items() if doc_id in self.passages)
        self._count("candidates that stand twice in a list", len(given) - len(different))
        self._count("candidates without a text", len(different) - len(known))
        return known

    def _count(self, reason: str, count: int) -> None:
        if count:
            self.dropped[reason] = self.dropped.get(reason, 0) + count

    def _digest(self, query_id: str) -> bytes:
        digest = hashlib.blake2b(digest_size=_DIGEST_BYTES)
        _add_texts(digest, query_id, self.task.queries[query_id])
        for candidate in self._candidates[query_id]:
            score = "" if self.retrieved or candidate.score is None else repr((candidate.score, candidate.stages))
            _add_texts(digest, candidate.doc_id, score)
            digest.update(self._passage_digest(candidate.doc_id))
        return digest.digest()

    def _digest_of_passage(self, doc_id: str) -> bytes:
        passage, digest = self.passages[doc_id], hashlib.blake2b(digest_size=_DIGEST_BYTES)
        _add_texts(digest, passage.title, passage.text)
        return digest.digest()


def passage_of(passages: Mapping[str, Chunk], doc_id: str) -> Chunk:
    """Return a passage under the id by which lists and judgements call it."""
    chunk = passages[doc_id]
    if chunk.id == doc_id:
        return chunk
    return Chunk(doc_id, chunk.text, chunk.doc_id, chunk.start, chunk.end, chunk.heading_path, title=chunk.title)


def _drawn(query_ids: list[str], sample: int | None, seed: int) -> list[str]:
    """Return ``sample`` of the questions in their order: a larger sample of one seed holds the smaller one."""
    if sample is None or sample >= len(query_ids):
        return query_ids
    if sample < 1:
        raise InputError(f"The sample is {sample}; it must be 1 question or more.")
    chosen = set(sorted(query_ids, key=lambda query_id: hash_order(f"{seed}\t{query_id}"))[:sample])
    return [query_id for query_id in query_ids if query_id in chosen]


def _add_texts(digest: hashlib.blake2b, *texts: str) -> None:
    for text in texts:
        encoded = text.encode("utf-8", "surrogatepass")
        digest.update(len(encoded).to_bytes(8, "little"))
        digest.update(encoded)
