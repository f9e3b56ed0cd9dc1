"""Orders without reranking: the order of the lists, our BM25, an embedder, and their fusion; and hits made of them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from secondpass.evaluate.candidates import QuestionList, TaskLists, passage_of
from secondpass.evaluate.identity import BM25_CODE, code_digest
from secondpass.evaluate.outcomes import Outcome, Scores
from secondpass.rerank.fusion import FusionReranker, Method
from secondpass.rerank.ordering import order_by_score
from secondpass.types import Chunk, Embedder, FloatArray, Hit, Scale, StageScore

GIVEN, BM25, DENSE, FUSION = "given", "bm25", "dense", "fusion"
_VECTORS_KEPT = 100_000


class FirstStage(Protocol):
    """Orders candidates before any reranker; ``key`` says everything that its order depends on."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def key(self) -> str: ...  # noqa: D102
    @property
    def words(self) -> str: ...  # noqa: D102
    def outcome(self, question: QuestionList) -> Outcome:
        """Return its order of all candidates."""
        ...


def ordered(scores: Scores, scale: Scale) -> Outcome:
    """Return the order of ``scores`` (float64 [N]), the highest first; ties keep the list's order."""
    order = np.argsort(-scores, kind="stable")
    return Outcome(order.astype(np.uint32), scores[order], scale)


class GivenOrder:
    """The order that the lists came in, with its scores where they have any."""

    name = GIVEN

    def __init__(self, lists: TaskLists) -> None:
        self._scale = lists.task.scale
        self.words = f"the order of the lists{f', {lists.task.first_stage}' if lists.task.first_stage else ''}"
        self.key = f"{GIVEN}\0{lists.task.first_stage}\0{self._scale}"

    def outcome(self, question: QuestionList) -> Outcome:
        """Return the list as it is; without scores, the last gets 1 and the first the most."""
        count = len(question.candidates)
        scores = [candidate.score for candidate in question.candidates if candidate.score is not None]
        if len(scores) == count:
            return Outcome(np.arange(count, dtype=np.uint32), np.array(scores, np.float64), self._scale)
        return Outcome(np.arange(count, dtype=np.uint32), np.arange(count, 0, -1, dtype=np.float64), "rank_only")


class BM25Order:
    """Our BM25 over the task's whole collection."""

    name = BM25

    def __init__(self, lists: TaskLists) -> None:
        self._lists = lists
        self.key = f"{BM25}\0{code_digest(BM25_CODE)}\0{lists.collection_hash}"
        self.words = f"BM25 (k1 1.2, b 0.75) over {len(lists.passages):,} passages"

    def outcome(self, question: QuestionList) -> Outcome:
        """Return the candidates by their scores."""
        return ordered(self._lists.bm25.scores_of(question.query, question.doc_ids), "bm25")


class DenseOrder:
    """The cosine of an embedder's vectors."""

    name = DENSE

    def __init__(self, lists: TaskLists, embedder: Embedder) -> None:
        self._passages, self._embedder = lists.passages, embedder
        self.key = f"{DENSE}\0{embedder.name}\0{embedder.revision}\0{embedder.dimension}"
        self.words = f"cosine of {embedder.name}"
        self._vectors: OrderedDict[str, FloatArray] = OrderedDict()

    def outcome(self, question: QuestionList) -> Outcome:
        """Return the candidates by their cosine to the question."""
        vectors = self._encoded(question.doc_ids)  # (N, D)
        query = self._embedder.encode_query([question.query])[0]  # (D,)
        return ordered((vectors @ query).astype(np.float64), "cosine")

    def _encoded(self, doc_ids: Sequence[str]) -> FloatArray:
        """Return the vectors of passages, float32 [N, D]; those of the last hundred thousand are remembered."""
        missing = [doc_id for doc_id in doc_ids if doc_id not in self._vectors]
        if missing:
            made = self._embedder.encode_document([self._passages[doc_id].text for doc_id in missing])
            self._vectors.update(zip(missing, made, strict=True))
        for doc_id in doc_ids:
            self._vectors.move_to_end(doc_id)
        found: FloatArray = np.stack([self._vectors[doc_id] for doc_id in doc_ids])
        while len(self._vectors) > _VECTORS_KEPT:
            self._vectors.popitem(last=False)
        return found


class _KnownOrder:
    """Stands for a first stage in a fusion: its scores of one list are known."""

    def __init__(self, name: str, outcome: Outcome) -> None:
        self.name = name
        self._scale = outcome.scale
        self._scores = np.zeros(len(outcome.positions))
        self._scores[outcome.positions] = outcome.scores

    def rerank(self, query: str, hits: Sequence[Hit], top_n: int | None = None) -> list[Hit]:  # noqa: ARG002
        """Return the hits by their known scores."""
        scale: Scale = "rank_only" if self._scale == "rank_only" else "unknown"
        return order_by_score(hits, self._scores.astype(np.float32), self.name, scale, top_n)


def fuse(question: QuestionList, passages: Mapping[str, Chunk], stages: Mapping[str, Outcome]) -> Outcome:
    """Return the sum of the stages' z-scores; of reciprocal ranks, where a stage gives an order without scores."""
    hits = [Hit(passage_of(passages, doc_id), 0.0, "unknown") for doc_id in question.doc_ids]
    places = {doc_id: place for place, doc_id in enumerate(question.doc_ids)}
    fusion = FusionReranker([_KnownOrder(name, outcome) for name, outcome in stages.items()], fusion_method(stages))
    fused = fusion.rerank(question.query, hits)
    positions = np.array([places[hit.chunk.id] for hit in fused], np.uint32)
    return Outcome(positions, np.array([hit.score for hit in fused], np.float64), "rank_only")


def fusion_method(stages: Mapping[str, Outcome]) -> Method:
    """Return how first stages are fused."""
    return "rrf" if any(outcome.scale == "rank_only" for outcome in stages.values()) else "zscore"


def arrival_hits(question: QuestionList, passages: Mapping[str, Chunk], name: str, arrival: Outcome) -> list[Hit]:
    """Return the candidates as hits in the order in which the first stage ``name`` hands them over."""
    scale = arrival.scale
    return [
        Hit(
            passage_of(passages, question.candidates[place].doc_id),
            score,
            scale,
            (name == GIVEN and question.candidates[place].stages) or (StageScore(name, rank, score, scale),),
        )
        for rank, (place, score) in enumerate(
            zip(arrival.positions.tolist(), arrival.scores.tolist(), strict=True), start=1
        )
    ]
