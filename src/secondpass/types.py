"""The records that pass between stages, and the protocols a stage fulfils.

Every record is frozen: a stage returns new ones and never touches the caller's. Higher scores mean more relevant,
everywhere; what a score means is said by its scale.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias, runtime_checkable

import numpy as np
import numpy.typing as npt

FloatArray: TypeAlias = npt.NDArray[np.float32]
IdArray: TypeAlias = npt.NDArray[np.uint32]
Json: TypeAlias = "str | int | float | bool | Sequence[Json] | Mapping[str, Json] | None"

Scale = Literal[
    "bm25", "cosine", "rrf", "logit", "log_odds", "probability", "log_likelihood", "maxsim", "rank_only", "unknown"
]
"""What a score means.

``log_likelihood``: the mean log-probability of a question's tokens after a passage; comparable within one question.
``rank_only``: the order is meant, the number is not. ``unknown``: the caller did not say.
"""

Language = Literal["zh", "en"]

Qrels: TypeAlias = dict[str, dict[str, int]]
"""``{query_id: {doc_id: relevance}}``"""
Run: TypeAlias = dict[str, dict[str, float]]
"""``{query_id: {doc_id: score}}``"""


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading of a document: where its section starts, how deep it is (1 = top), and its words."""

    start: int
    level: int
    title: str


@dataclass(frozen=True, slots=True)
class Document:
    """The cleaned text of one file or page, with what is known of its structure.

    ``source`` is the path or URL it was read from; ``pages[i]`` is the offset at which page ``i + 1`` starts (empty
    where there are no pages). Offsets count characters of ``text``.
    """

    id: str
    text: str
    source: str = ""
    title: str = ""
    headings: tuple[Heading, ...] = ()
    pages: tuple[int, ...] = ()
    metadata: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Chunk:
    """A passage: ``document.text[start:end] == text``.

    ``heading_path`` holds the headings above it, outermost first; ``page`` counts from 1.
    """

    id: str
    text: str
    doc_id: str = ""
    start: int = 0
    end: int = 0
    heading_path: tuple[str, ...] = ()
    page: int | None = None
    source: str = ""
    title: str = ""
    metadata: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of characters ``[start, end)``."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class StageScore:
    """Where a passage stood after one stage: the stage's name, the rank (1 = best), the score and its scale."""

    stage: str
    rank: int
    score: float
    scale: Scale


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage with the score of the latest stage, and how it came here.

    ``stages`` lists every stage it passed, the latest last. ``evidence`` is the span of ``chunk.text`` that won, where
    a stage names one, and ``evidence_confidence`` how probable it is among all spans, where that is known;
    ``truncated`` says that a stage could not read the whole passage. ``probability`` is there where the latest stage's
    model was made to give one (`PairScorer.gives_probability`).
    """

    chunk: Chunk
    score: float
    scale: Scale
    stages: tuple[StageScore, ...] = ()
    evidence: Span | None = None
    truncated: bool = False
    probability: float | None = None
    evidence_confidence: float | None = None


@dataclass(frozen=True, slots=True)
class PassageScore:
    """What a scorer says of one passage: the raw number, and how the passage was read.

    A passage longer than the model reads is read in ``windows`` overlapping pieces; ``span`` is then the piece that won
    (None where the passage was read at once), or, of a model that points at evidence, that evidence with its
    ``evidence_confidence``. ``tokens`` counts the passage in the model's own tokens (0: not known). ``truncated`` says
    that a part was read by no window.
    """

    score: float
    span: Span | None = None
    tokens: int = 0
    windows: int = 1
    truncated: bool = False
    evidence_confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Citation:
    """The place an answer rests on: ``quote`` stands at ``[start, end)`` of the document's text.

    ``number`` is the one in brackets in the answer, and the rank of the passage it was cut from (1 = first).
    ``highlight`` is the part of the document's text, within the quote, that answers, where that is known.
    """

    number: int
    chunk_id: str
    doc_id: str
    source: str
    start: int
    end: int
    quote: str
    page: int | None = None
    highlight: Span | None = None


@dataclass(frozen=True, slots=True)
class TokenCounts:
    """Tokens of a prompt and of the reply; ``estimated`` where no tokenizer counted them."""

    prompt: int
    completion: int
    estimated: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What is said to a question, with the places it rests on.

    ``found`` is False where the passages do not support an answer. ``warnings`` names everything that was mended or
    could not be checked, such as a citation of a passage that was never given.
    """

    text: str
    found: bool
    citations: tuple[Citation, ...] = ()
    hits: tuple[Hit, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)
    tokens: TokenCounts | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a chat."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class TokenChance:
    """A token that a chat model might have said, and the natural logarithm of its probability."""

    token: str
    log_probability: float


@dataclass(frozen=True, slots=True)
class Reply:
    """What a chat model answered; ``truncated`` where its limit of tokens cut it off.

    ``first_tokens`` are the likeliest first tokens of the answer, where they were asked for (`ReplyForm`) and given.
    """

    text: str
    tokens: TokenCounts
    truncated: bool = False
    first_tokens: tuple[TokenChance, ...] = ()


@dataclass(frozen=True, slots=True)
class ReplyForm:
    """How a reply is wanted: as a JSON object of ``schema``, and with its ``top_tokens`` likeliest first tokens."""

    schema: Mapping[str, Json] | None = None
    top_tokens: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class TermVector:
    """Weighted terms: ``ids`` uint32 [T], ascending and unique; ``weights`` float32 [T]."""

    ids: IdArray
    weights: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """What a store keeps of a chunk: the chunk, its terms, its vector (float32 [D]) where there is an embedder.

    ``token_vectors``, float32 [L, D], are there where there is a token encoder.
    """

    chunk: Chunk
    terms: TermVector
    vector: FloatArray | None = None
    token_vectors: FloatArray | None = None


class Embedder(Protocol):
    """Turns texts into vectors of one length; ``name``, ``revision`` and ``dimension`` identify the vector space."""

    @property
    def name(self) -> str: ...
    @property
    def revision(self) -> str: ...
    @property
    def dimension(self) -> int: ...
    def encode_query(self, texts: Sequence[str]) -> FloatArray:
        """Encode questions; float32 [B, D], rows of length 1."""
        ...

    def encode_document(self, texts: Sequence[str]) -> FloatArray:
        """Encode passages; float32 [B, D], rows of length 1."""
        ...


class TokenEncoder(Protocol):
    """Turns texts into vectors for their tokens, for late interaction.

    ``name``, ``revision`` and ``dimension`` identify the vector space, as those of an `Embedder` do.
    """

    @property
    def name(self) -> str: ...
    @property
    def revision(self) -> str: ...
    @property
    def dimension(self) -> int: ...
    def encode_query_tokens(self, text: str) -> FloatArray:
        """Encode a question; float32 [Q, D], rows of length 1."""
        ...

    def encode_document_tokens(self, texts: Sequence[str]) -> list[FloatArray]:
        """Encode passages; float32 [L, D] each, rows of length 1."""
        ...


class Store(Protocol):
    """Keeps chunks and finds them by terms, by vector or by the vectors of tokens.

    ``replace`` is the only way in: what a document had before disappears, so writing twice leaves one copy.
    A store is opened by one process at a time.
    """

    def replace(self, doc_ids: Sequence[str], entries: Sequence[Entry]) -> None:
        """Remove all chunks of ``doc_ids`` and add ``entries``; durable against a killed process when it returns."""
        ...

    def search_terms(self, query: TermVector, top_k: int) -> list[tuple[Chunk, float]]:
        """Return the ``top_k`` chunks with the highest sum of query weight x document weight x IDF, best first."""
        ...

    def search_vector(self, query: FloatArray, top_k: int) -> list[tuple[Chunk, float]]:
        """Return the ``top_k`` chunks with the highest cosine to ``query`` (float32 [D]), best first."""
        ...

    def search_tokens(self, query: FloatArray, top_k: int) -> list[tuple[Chunk, float]]:
        """Return the ``top_k`` chunks with the highest MaxSim to ``query`` (float32 [Q, D]), best first."""
        ...

    def chunks_of(self, doc_id: str) -> list[Chunk]:
        """Return the chunks of one document in reading order."""
        ...

    def count(self) -> int:
        """Count the chunks."""
        ...

    def optimize(self) -> None:
        """Do what makes later searches fast, after many writes."""
        ...

    def close(self) -> None:
        """Write what is pending and release the files."""
        ...


class Retriever(Protocol):
    """The first stage: a query in, the best ``top_k`` passages out."""

    @property
    def name(self) -> str: ...
    def retrieve(self, query: str, top_k: int) -> list[Hit]:
        """Return at most ``top_k`` hits, best first."""
        ...


class Reranker(Protocol):
    """The second stage: orders and cuts, never adds; ties keep the given order."""

    @property
    def name(self) -> str: ...
    def rerank(self, query: str, hits: Sequence[Hit], top_n: int | None = None) -> list[Hit]:
        """Return the best ``top_n`` of ``hits`` (all of them for None), best first."""
        ...


class PairScorer(Protocol):
    """Reads a query and each passage together and gives each passage a number; safe to share between threads.

    A score depends on the query and that passage alone. ``fingerprint`` changes with everything a score depends on:
    weights, template, lengths, precision. ``gives_probability``: the logistic function of a score is the probability
    that the model's authors publish (for ``probability`` scales: the score itself); it is theirs, not calibrated to
    any other data.
    """

    @property
    def name(self) -> str: ...
    @property
    def scale(self) -> Scale: ...
    @property
    def fingerprint(self) -> str: ...
    @property
    def gives_probability(self) -> bool: ...
    def score(self, query: str, passages: Sequence[str]) -> list[PassageScore]:
        """Score ``passages``, in their order; none is empty and none comes twice."""
        ...


class LLM(Protocol):
    """A chat model."""

    @property
    def name(self) -> str: ...
    def chat(self, messages: Sequence[Message]) -> Reply:
        """Return the whole reply."""
        ...

    def stream(self, messages: Sequence[Message]) -> Iterator[str | Reply]:
        """Yield the reply piece by piece, and the whole `Reply` with its token counts last."""
        ...


@runtime_checkable
class StructuredLLM(LLM, Protocol):
    """A chat model that can be asked for a form of reply; what its server cannot do is left out, and that is logged.

    ``fingerprint`` changes with everything a reply depends on beside the messages: model, server, settings.
    """

    @property
    def fingerprint(self) -> str: ...
    def ask(self, messages: Sequence[Message], form: ReplyForm) -> Reply:
        """Return the whole reply, in ``form`` as far as the server can; one without text is returned as it is."""
        ...


class Answerer(Protocol):
    """The last stage: says what the passages say, with citations, or that they do not say it."""

    def answer(self, query: str, hits: Sequence[Hit]) -> Answer:
        """Answer from ``hits`` alone."""
        ...

    def stream(self, query: str, hits: Sequence[Hit]) -> Iterator[str | Answer]:
        """Yield the answer piece by piece as it is written, and the whole `Answer` last."""
        ...
