"""An index and everything that is done with it: the Python API, and what the command line is thin over."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from secondpass.answer.extract import ExtractiveAnswerer
from secondpass.answer.generate import LLMAnswerer
from secondpass.answer.hints import HintingAnswerer
from secondpass.chunk.sentence import SentenceChunker
from secondpass.config import DEFAULT_RERANKER, DEFAULT_TOP_K, ChunkOptions, RerankSpec, RetrieveSpec, make_reranker
from secondpass.embed.names import open_embedder
from secondpass.errors import InputError, StoreError
from secondpass.index.library import INDEXING_TIMEOUT_SECONDS, Index, create_index, is_index, open_index
from secondpass.index.manifest import Manifest, check_chunking, check_embedder, check_token_encoder
from secondpass.ingest import (
    IngestOptions,
    IngestReport,
    Progress,
    identity_of,
    index_documents,
    token_identity_of,
)
from secondpass.llm.names import open_llm
from secondpass.load.sources import find_sources
from secondpass.models.builtin_model import BUILTIN
from secondpass.models.token_encoder_names import open_named_token_encoder
from secondpass.pipeline import Comparison, Pipeline, SearchResult
from secondpass.rerank.options import RerankerOptions
from secondpass.retrieve.crossing import CrossingRetriever
from secondpass.retrieve.hybrid import HybridRetriever
from secondpass.retrieve.late_interaction import LateInteractionRetriever
from secondpass.retrieve.stored import BM25Retriever, DenseRetriever
from secondpass.text.language import LANGUAGE_NAMES, language
from secondpass.types import LLM, Answer, Answerer, Chunk, Embedder, Hit, Reranker, Retriever, StageScore, TokenEncoder

Retrieve = str | RetrieveSpec | None
Rerank = str | RerankSpec | Reranker
DEFAULT_INDEX = ".secondpass"
_DOCUMENTS_LOOKED_AT, _CHARACTERS = 50, 2000
"""Of an index, evenly, and of each of those documents, to see which languages it is in."""
DEFAULT_RERANK: tuple[Rerank, ...] = (RerankSpec(),)


class Workbench:
    """An index at ``path``, opened when it is first needed and held until `close`; use it in a ``with``.

    ``embedder`` makes vectors beside the terms; an index remembers its embedder, so that only ``index`` needs one, and
    a later call opens it again by name. ``rerankers`` says how rerankers that are named in calls are opened.
    ``token_encoder``, a late-interaction model, makes vectors of every token, for the retriever ``colbert``; the index
    remembers it in the same way.
    """

    def __init__(
        self,
        path: str | Path = DEFAULT_INDEX,
        embedder: Embedder | str | None = None,
        rerankers: RerankerOptions | None = None,
        token_encoder: TokenEncoder | str | None = None,
    ) -> None:
        self.path = Path(path)
        self._rerankers = rerankers or RerankerOptions()
        self._embedder = open_embedder(embedder) if isinstance(embedder, str) else embedder
        self._token_encoder = (
            self._named_token_encoder(token_encoder) if isinstance(token_encoder, str) else token_encoder
        )
        self._index: Index | None = None

    def __enter__(self) -> Workbench:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let other processes use the index."""
        if self._index is not None:
            self._index.close()
            self._index = None

    def search(self, query: str, retrieve: Retrieve = None, rerank: Sequence[Rerank] = DEFAULT_RERANK) -> SearchResult:
        """Return the passages for ``query``.

        ``retrieve`` is the first stage, such as ``"hybrid@100"`` (None: hybrid where the index has vectors, else bm25,
        and 10 passages; 10 of each language where those are word vectors); ``rerank`` are the stages after it, such as
        ``["lexical@20", "builtin@3"]``, or none: ``[]``; left out, the model of the package keeps 3.
        """
        return self._pipeline(query, retrieve, rerank).search(query)

    def ask(
        self,
        query: str,
        retrieve: Retrieve = None,
        rerank: Sequence[Rerank] = DEFAULT_RERANK,
        llm: LLM | str | None = None,
    ) -> Answer:
        """Answer ``query`` from the passages found for it, by ``llm`` or, for None, by their own sentences."""
        return self._answering(query, retrieve, rerank, llm).ask(query)

    def stream(
        self,
        query: str,
        retrieve: Retrieve = None,
        rerank: Sequence[Rerank] = DEFAULT_RERANK,
        llm: LLM | str | None = None,
    ) -> Iterator[str | Answer]:
        """Answer ``query`` piece by piece as it is written; the whole `Answer` comes last."""
        yield from self._answering(query, retrieve, rerank, llm).stream(query)

    def compare(
        self,
        query: str,
        retrieve: Retrieve = None,
        rerank: Sequence[Rerank] = DEFAULT_RERANK,
        llm: LLM | str | None = None,
    ) -> Comparison:
        """Answer ``query`` from the same candidates without and with reranking."""
        return self._answering(query, retrieve, rerank, llm).compare(query)

    def counts(self) -> tuple[int, int]:
        """Return how many documents and chunks the index holds."""
        return self._opened().catalogue.counts()

    def chunks(self) -> Iterator[Chunk]:
        """Yield every chunk of the index, document by document in reading order."""
        index = self._opened()
        for record in index.catalogue.records():
            yield from index.store.chunks_of(record.doc_id)

    def retriever(self, retrieve: Retrieve = None) -> tuple[Retriever, int]:
        """Return the first stage that ``retrieve`` names, and how many passages it is asked for."""
        index = self._opened()
        built = index.manifest.embedder
        crossing = built is not None and built.name == BUILTIN
        spec = RetrieveSpec.parse(retrieve) if isinstance(retrieve, str) else retrieve
        if spec is None:
            depth = 2 * DEFAULT_TOP_K if crossing else DEFAULT_TOP_K  # so many of each language
            spec = RetrieveSpec("hybrid" if built else "bm25", depth)
        terms = BM25Retriever(index.store)
        if spec.name == "bm25":
            return terms, spec.top_k
        if spec.name == "colbert":
            return LateInteractionRetriever(index.store, self._opened_token_encoder(index)), spec.top_k
        if built is None:
            raise StoreError(
                f"The index at {self.path} has no vectors, so it cannot be searched by {spec.name}; use bm25, or build "
                "an index with --embedder NAME."
            )
        embedder = self._opened_embedder(index)
        if spec.name == "dense":
            return DenseRetriever(index.store, embedder), spec.top_k
        second = (CrossingRetriever if crossing else DenseRetriever)(index.store, embedder)
        return HybridRetriever([terms, second], spec.weights, in_turn=crossing), spec.top_k

    def index(
        self,
        *roots: str | Path,
        chunking: ChunkOptions | None = None,
        reading: IngestOptions | None = None,
        rebuild: bool = False,
        progress: Progress | None = None,
    ) -> IngestReport:
        """Bring the index up to date with files, folders and web addresses; make it where there is none.

        Only what changed is read; what is gone below ``roots`` is removed. An index that is there keeps the
        ``chunking`` and the embedder it was built with, and refuses others; ``rebuild`` begins anew.

        Raises:
            InputError: a root does not exist; nothing is changed.
            StoreError: the index was built otherwise, is in use, or its disk is full; what was done is kept.
        """
        if not roots:
            raise InputError("There is nothing to index; give files, folders or web addresses.")
        find_sources(roots, self.path)  # refuses a root that does not exist before an index is made for it
        index = self._opened_for_writing(chunking, rebuild)
        has_embedder = index.manifest.embedder is not None or self._embedder is not None
        embedder = self._opened_embedder(index) if has_embedder else None
        has_tokens = index.manifest.token_encoder is not None or self._token_encoder is not None
        token_encoder = self._opened_token_encoder(index) if has_tokens else None
        return index_documents(list(roots), index, reading, embedder, progress, token_encoder)

    def _opened_for_writing(self, chunking: ChunkOptions | None, rebuild: bool) -> Index:
        chosen = chunking or ChunkOptions()
        chunker = SentenceChunker(chosen.max_tokens, chosen.overlap_sentences)
        wanted = Manifest(
            chunker.name,
            chunker.parameters,
            identity_of(self._embedder),
            token_encoder=token_identity_of(self._token_encoder),
        )
        if not rebuild and (self._index is not None or is_index(self.path)):
            self._index = self._index or open_index(self.path, INDEXING_TIMEOUT_SECONDS)
            if chunking is not None:
                check_chunking(self.path, self._index.manifest, wanted)
            return self._index
        self.close()
        self._index = create_index(self.path, wanted, rebuild=rebuild)
        return self._index

    def _opened(self) -> Index:
        if self._index is None:
            self._index = open_index(self.path)
        return self._index

    def _opened_embedder(self, index: Index) -> Embedder:
        """Return the embedder the index was built with, or refuse the one that was given."""
        built = index.manifest.embedder
        if self._embedder is None and built is not None:
            self._embedder = open_embedder(built.name)
        assert self._embedder is not None
        check_embedder(index.folder, index.manifest, identity_of(self._embedder))
        return self._embedder

    def _named_token_encoder(self, name: str) -> TokenEncoder:
        return open_named_token_encoder(name, self._rerankers.engine, self._rerankers.offline)

    def _opened_token_encoder(self, index: Index) -> TokenEncoder:
        """Return the token encoder the index was built with, or refuse the one that was given."""
        built = index.manifest.token_encoder
        if self._token_encoder is None and built is None:
            raise StoreError(
                f"The index at {self.path} has no token vectors, so it cannot be searched by colbert; use bm25, or "
                "build an index with --token-encoder NAME."
            )
        if self._token_encoder is None and built is not None:
            self._token_encoder = self._named_token_encoder(built.name)
        assert self._token_encoder is not None
        check_token_encoder(index.folder, index.manifest, token_identity_of(self._token_encoder))
        return self._token_encoder

    def _pipeline(self, query: str, retrieve: Retrieve, rerank: Sequence[Rerank]) -> Pipeline:
        if not query.strip():
            raise InputError("The question is empty; ask something.")
        retriever, top_k = self.retriever(retrieve)
        options = replace(self._rerankers, read_text=self._read_text)
        return Pipeline(retriever, top_k, make_reranker(rerank, options))

    def _answering(self, query: str, retrieve: Retrieve, rerank: Sequence[Rerank], llm: LLM | str | None) -> Pipeline:
        """Return a pipeline that answers; a lowest probability of hits is also what it takes to say anything."""
        pipeline, lowest = self._pipeline(query, retrieve, rerank), self._rerankers.min_score
        least = lowest.value if lowest and lowest.scale == "probability" else None
        answerer = make_answerer(llm, least)
        reaches_all = pipeline.retriever.name != BM25Retriever.name
        pipeline.answerer = answerer if reaches_all else HintingAnswerer(answerer, self._unreached)
        return pipeline

    def _unreached(self, query: str) -> str | None:
        """Say that the index also has documents which BM25 cannot find for this question; None where it has not."""
        catalogue, asked = self._opened().catalogue, language(query)
        records = catalogue.records()
        some = records[:: max(1, len(records) // _DOCUMENTS_LOOKED_AT)][:_DOCUMENTS_LOOKED_AT]
        documents = (catalogue.document(record.doc_id) for record in some)
        if not any(one and one.text.strip() and language(one.text[:_CHARACTERS]) != asked for one in documents):
            return None
        own, other = LANGUAGE_NAMES[asked], LANGUAGE_NAMES["zh" if asked == "en" else "en"]
        return (
            f"The index has documents in {other}, in which bm25 finds little for a question in {own}; "
            "an index made with --embedder builtin (--rebuild makes it anew) finds them across languages."
        )

    def _read_text(self, doc_id: str, start: int, end: int) -> str | None:
        """Return a stretch of a document, which joins neighbouring chunks."""
        document = self._opened().catalogue.document(doc_id)
        return document.text[start:end] if document else None


def make_answerer(llm: LLM | str | None, min_probability: float | None = None) -> Answerer:
    """Return what answers: a chat model, or (None) the sentences of the passages themselves.

    ``min_probability``: see `ExtractiveAnswerer`.
    """
    if llm is None:
        return ExtractiveAnswerer(min_probability=min_probability)
    return LLMAnswerer(open_llm(llm) if isinstance(llm, str) else llm)


def rerank_passages(
    query: str,
    passages: Sequence[str | Chunk | Hit],
    top_n: int | None = None,
    rerank: Rerank | Sequence[Rerank] = DEFAULT_RERANKER + "@all",
    options: RerankerOptions | None = None,
) -> list[Hit]:
    """Return the best ``top_n`` of ``passages`` for ``query``, best first, without any index.

    ``rerank`` left out is the model of the package; ``"lexical"`` is quick and needs none. A hit's place in
    ``passages`` is the rank of its first stage, counted from 1; given hits keep the stages they have.
    ``options`` says how named rerankers are opened; one that was opened before is used again.

    Raises:
        InputError: ``top_n`` is below 1, or there is no such reranker.
    """
    stages = rerank if isinstance(rerank, Sequence) and not isinstance(rerank, str) else [rerank]
    reranker = make_reranker(stages, options)
    if reranker is None:
        raise InputError(f"There is no reranker; name one, such as {DEFAULT_RERANKER}.")
    return reranker.rerank(query, [_as_hit(passage, rank) for rank, passage in enumerate(passages, 1)], top_n)


def _as_hit(passage: str | Chunk | Hit, rank: int) -> Hit:
    if isinstance(passage, Hit):
        return passage
    chunk = passage if isinstance(passage, Chunk) else Chunk(str(rank), passage, end=len(passage))
    return Hit(chunk, 0.0, "unknown", (StageScore("given", rank, 0.0, "unknown"),))


def describe_index(path: str | Path) -> str:
    """Return one line on the index at ``path``: documents, chunks, embedder and token encoder.

    Raises:
        StoreError: there is none, or it cannot be opened.
    """
    with open_index(Path(path)) as index:
        documents, chunks = index.catalogue.counts()
        made_with = [index.manifest.embedder or "no embedder", *filter(None, [index.manifest.token_encoder])]
        return f"{path}: {documents:,} documents, {chunks:,} chunks, {', '.join(map(str, made_with))}"
