"""Rerankers and embedders as models of mteb 2 (extra ``mteb``), so that ``mteb.evaluate`` measures what we run.

A cross-encoder reads question and passage together, a bi-encoder makes a vector of each: a model of one kind that is
measured as the other gives figures that look like results (embeddings-benchmark/mteb#1581). Each class here takes one
kind and names the right class for the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt

from secondpass.errors import InputError, MissingExtraError
from secondpass.evaluate.mteb_files import query_text
from secondpass.rerank.pairs import PairReranker
from secondpass.types import Chunk, Embedder, FloatArray, Hit, Reranker

try:
    from mteb.models import ModelMeta
    from mteb.types import PromptType
except ModuleNotFoundError as error:
    _missing: ModuleNotFoundError | None = error
else:
    _missing = None

Batches = Iterable[Mapping[str, Any]]
"""What mteb hands over: batches with lists of ``text``."""
_Rows = TypeVar("_Rows", bound=Any)


def mteb_model(part: Reranker | Embedder) -> MTEBCrossEncoder | MTEBReranker | MTEBEncoder:
    """Return ``part`` as the model of mteb that it is."""
    if isinstance(part, PairReranker):
        return MTEBCrossEncoder(part)
    if hasattr(part, "encode_query"):
        return MTEBEncoder(cast(Embedder, part))
    return MTEBReranker(part)


class MTEBCrossEncoder:
    """A reranker that reads question and passage together and scores each pair (mteb's ``CrossEncoderProtocol``)."""

    def __init__(self, reranker: PairReranker) -> None:
        if not isinstance(reranker, PairReranker):
            raise InputError(
                f"{_called(reranker)} is no cross-encoder: {_nature(reranker)}; a cross-encoder reads a question and a "
                "passage together and gives the pair a score."
            )
        self.reranker = reranker
        self._meta = _meta(reranker.name, reranker.scorer.fingerprint, "cross-encoder")

    @property
    def mteb_model_meta(self) -> ModelMeta:
        """What mteb writes of the model into its results."""
        return self._meta

    def predict(self, inputs1: Batches, inputs2: Batches, **_: object) -> npt.NDArray[np.float64]:
        """Return a score for each pair of the questions ``inputs1`` and the passages ``inputs2``, float64 [N].

        Pairs of one question that follow each other are scored together. What mteb says of task and batches is not
        needed: the scorer makes its own batches.
        """
        scores: list[float] = []
        pairs = zip(_texts(inputs1), _texts(inputs2), strict=True)
        for query, group in groupby(pairs, key=lambda pair: pair[0]):
            texts = [text for _, text in group]
            if query.strip():
                scores += [found.score for found in self.reranker.score_texts(query, texts)]
            else:
                scores += [0.0] * len(texts)  # a question without text says nothing of any passage
        return np.array(scores, np.float64)


class MTEBReranker:
    """A reranker that orders whole lists, such as a chat model or a fusion (mteb's ``SearchProtocol``).

    Its scores are ranks, so that its order is what is measured. Lists are handed over by ids from the last, the order
    in which mteb breaks ties: the order they are stored in may have the relevant passages first.
    """

    def __init__(self, reranker: Reranker) -> None:
        if not hasattr(reranker, "rerank"):
            raise InputError(f"{_called(reranker)} is no reranker: {_nature(reranker)}.")
        self.reranker = reranker
        self._meta = _meta(reranker.name, "order", "cross-encoder")
        self._corpus: Any = None

    @property
    def mteb_model_meta(self) -> ModelMeta:
        """What mteb writes of the model into its results."""
        return self._meta

    def index(self, corpus: Any, **_: object) -> None:
        """Keep the passages of the task, a data set with ``id``, ``text`` and perhaps ``title``."""
        self._corpus = corpus

    def search(
        self, queries: Any, *, top_ranked: Mapping[str, Sequence[str]] | None = None, **_: object
    ) -> dict[str, dict[str, float]]:
        """Return ``{query_id: {doc_id: score}}`` for the lists ``top_ranked``; what is cut has no score."""
        if top_ranked is None:
            raise InputError("A reranker orders lists of passages, and this task has none (it searches a collection).")
        rows = {doc_id: row for row, doc_id in enumerate(self._corpus["id"])}
        results: dict[str, dict[str, float]] = {query["id"]: {} for query in queries}
        for query in queries:
            doc_ids = sorted(top_ranked.get(query["id"], ()), reverse=True)
            hits = [Hit(_chunk(self._corpus[rows[doc_id]]), 0.0, "unknown") for doc_id in doc_ids]
            ordered = self.reranker.rerank(query_text(query), hits) if hits else []
            results[query["id"]] = {hit.chunk.id: float(len(ordered) - rank) for rank, hit in enumerate(ordered)}
        return results


class MTEBEncoder:
    """An embedder, which makes a vector of each text alone (mteb's ``EncoderProtocol``)."""

    def __init__(self, embedder: Embedder) -> None:
        if not hasattr(embedder, "encode_query") or not hasattr(embedder, "encode_document"):
            raise InputError(
                f"{_called(embedder)} is no bi-encoder: {_nature(embedder)}; a bi-encoder makes a vector of each text "
                "alone, and a reranker's inner vectors mean nothing."
            )
        self.embedder = embedder
        self._meta = _meta(embedder.name, embedder.revision, "dense")

    @property
    def mteb_model_meta(self) -> ModelMeta:
        """What mteb writes of the model into its results."""
        return self._meta

    def encode(self, inputs: Batches, *, prompt_type: PromptType | None = None, **_: object) -> FloatArray:
        """Return the vectors of questions or of passages, float32 [N, D]."""
        encode = self.embedder.encode_query if prompt_type == PromptType.query else self.embedder.encode_document
        parts = [encode([str(text) for text in batch["text"]]) for batch in inputs]
        return np.concatenate(parts) if parts else np.zeros((0, self.embedder.dimension), np.float32)

    def similarity(self, embeddings1: _Rows, embeddings2: _Rows) -> _Rows:
        """Return the cosine of every vector of one side with every one of the other, [N, M]; rows have length 1."""
        product: _Rows = _as_rows(embeddings1) @ _as_rows(embeddings2).T
        return product

    def similarity_pairwise(self, embeddings1: _Rows, embeddings2: _Rows) -> _Rows:
        """Return the cosine of each vector with the one in the same place, [N]."""
        product: _Rows = (_as_rows(embeddings1) * _as_rows(embeddings2)).sum(-1)
        return product


def _as_rows(embeddings: _Rows) -> _Rows:
    rows: _Rows = embeddings.reshape(1, -1) if embeddings.ndim == 1 else embeddings
    return rows


def _texts(batches: Batches) -> Iterator[str]:
    for batch in batches:
        yield from map(str, batch["text"])


def _chunk(row: Mapping[str, Any]) -> Chunk:
    """Return a passage of mteb's as a model reads it: title and text in one."""
    return Chunk(str(row["id"]), f"{row.get('title') or ''} {row['text']}".strip())


def _meta(name: str, revision: str, kind: str) -> ModelMeta:
    if _missing is not None:
        raise MissingExtraError("Evaluation through mteb", "mteb") from _missing
    # mteb wants OWNER/NAME, and makes a folder's name of it.
    known = {"name": f"secondpass/{name.strip('/').replace('/', '__')}", "revision": revision, "model_type": [kind]}
    return ModelMeta.create_empty(overwrites=known)


def _called(part: object) -> str:
    return repr(getattr(part, "name", None) or type(part).__name__)


def _nature(part: object) -> str:
    """Say what ``part`` is, and which class measures it."""
    if hasattr(part, "encode_query"):
        return "it is an embedder (a bi-encoder), which MTEBEncoder measures"
    if isinstance(part, PairReranker):
        return "it is a cross-encoder, which MTEBCrossEncoder measures"
    if hasattr(part, "rerank"):
        return "it orders whole lists, which MTEBReranker measures"
    if hasattr(part, "predict") or (hasattr(part, "encode") and not isinstance(part, str)):
        return "it is a model of another library, which mteb takes as it is"
    return f"it is a {type(part).__name__}, neither a reranker nor an embedder"
