"""One model of one rerank service: question and texts in, a score for each text out, whatever the wire format.

Results are keyed by their index and checked: a missing, doubled or foreign index, or a score that is no number, is an
error and never a shift of scores to other passages.
"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace

from secondpass.errors import InputError, RemoteError
from secondpass.rerank.hosted_client import Patience, RefusedError, RerankClient, words_of
from secondpass.rerank.hosted_formats import Dialect, Wish, endpoint, request_body, scale_of, server_root
from secondpass.types import Json, Scale

_log = logging.getLogger(__name__)
_TOO_LONG_STATUSES = (400, 413, 422)
_TOO_LONG_WORDS = ("token", "length", "long", "truncat")
_ASKABLE: tuple[Scale, ...] = ("logit", "probability")


@dataclass(frozen=True, slots=True)
class HostedSettings:
    """How a hosted reranker is asked.

    ``max_concurrency``: requests at a time, of all threads together. ``batch_size``: texts in a request, where fewer
    than the service takes are wished. ``max_passage_tokens``: longer passages are read in windows (None: what the
    service says of itself, or documents). ``scale``: asked for where the service has a choice, else what the caller
    knows of its scores (None: see `hosted_formats.scale_of`). ``instruction``: what the task is, for models that take
    one.
    """

    timeout_seconds: float = 60.0
    max_retries: int = 3
    max_concurrency: int = 4
    batch_size: int | None = None
    max_passage_tokens: int | None = None
    scale: Scale | None = None
    instruction: str | None = None


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What a server says of itself: texts in a request, tokens of a pair, and which weights it runs."""

    max_texts: int | None = None
    max_tokens: int | None = None
    revision: str = ""


@dataclass(frozen=True, slots=True)
class HostedScore:
    """A score, and whether the server had to cut the text for it."""

    score: float
    cut: bool = False


class HostedService:
    """Asks ``model`` of the service that speaks ``dialect``."""

    def __init__(
        self, dialect: Dialect, model: str, url: str | None, api_key: str | None, settings: HostedSettings
    ) -> None:
        if settings.instruction is not None and dialect.instruction_field is None:
            raise InputError(f"{dialect.name} takes no instruction; leave it out, or use a service that takes one.")
        if settings.max_concurrency < 1 or (settings.batch_size or 1) < 1:
            raise InputError("max_concurrency and batch_size must be 1 or more.")
        self.dialect = dialect
        self.model = model
        self.scale: Scale = settings.scale or scale_of(dialect, model)
        self._check_scale_is_asked_for()
        self._wish = Wish(model, self.scale, settings.instruction)
        patience = Patience(settings.timeout_seconds, settings.max_retries)
        self.client = RerankClient(endpoint(dialect, model, url), api_key, patience)
        self._slots = threading.BoundedSemaphore(settings.max_concurrency)
        self._facts: ServerFacts | None = None

    def facts(self) -> ServerFacts:
        """Return what the server says of itself, asked once; the service of a provider is not asked.

        Raises:
            RemoteError: the server cannot be reached.
        """
        if self._facts is None:
            self._facts = self._asked_facts() if self.dialect.base_url is None else ServerFacts()
        return self._facts

    def ask(self, query: str, texts: Sequence[str]) -> list[HostedScore]:
        """Return the scores of ``texts``, in one request where no text is longer than the server reads.

        A text that is too long is found by halving, cut by the server, and said to be cut.
        """
        try:
            return [HostedScore(score) for score in self._request(self._wish, query, texts)]
        except RefusedError as error:
            if not self._was_too_long(error):
                raise
        if len(texts) > 1:
            half = len(texts) // 2
            return [*self.ask(query, texts[:half]), *self.ask(query, texts[half:])]
        _log.warning("%s had to cut a passage of %d characters", self.client.url, len(texts[0]))
        return [HostedScore(score, cut=True) for score in self._request(self._cutting, query, texts)]

    @property
    def _cutting(self) -> Wish:
        return replace(self._wish, cut_long=True)

    def _was_too_long(self, error: RefusedError) -> bool:
        words = str(error).lower()
        return (
            self.dialect.cut is not None
            and error.status in _TOO_LONG_STATUSES
            and any(word in words for word in _TOO_LONG_WORDS)
        )

    def _request(self, wish: Wish, query: str, texts: Sequence[str]) -> list[float]:
        with self._slots:
            answer = self.client.post(request_body(self.dialect, wish, query, texts))
        scores = self._read(answer, len(texts))
        if self.scale == "probability" and not all(-1e-6 <= score <= 1 + 1e-6 for score in scores):
            raise RemoteError(
                f"{self.client.url} answered with scores outside 0 to 1 ({min(scores):g} to {max(scores):g}), "
                "which are no probabilities; name their scale, such as scale='logit'."
            )
        return scores

    def _read(self, answer: Json, count: int) -> list[float]:
        """Return the scores in the order of the texts."""
        rows = answer
        for name in self.dialect.results_at:
            rows = rows.get(name) if isinstance(rows, dict) else None
        if not isinstance(rows, list):
            raise RemoteError(f"{self.client.url} answered without results: {self._words(answer)}")
        scores: dict[int, float] = {}
        for row in rows:
            index, score = self._row(row)
            if not 0 <= index < count or index in scores:
                problem = "twice" if index in scores else f"though {count} passages were sent"
                raise RemoteError(f"{self.client.url} answered with a score for passage {index} {problem}.")
            scores[index] = score
        if len(scores) != count:
            missing = sorted(set(range(count)) - scores.keys())
            raise RemoteError(
                f"{self.client.url} was sent {count} passages and scored {len(scores)}; the first without a score is "
                f"number {missing[0]}."
            )
        return [scores[index] for index in range(count)]

    def _row(self, row: Json) -> tuple[int, float]:
        if isinstance(row, dict):
            index, score = row.get("index"), row.get(self.dialect.score_field)
            # bool is an int in Python; neither True nor "0.5" is a score.
            if type(index) is int and type(score) in (int, float) and math.isfinite(score):  # type: ignore[arg-type]
                return index, float(score)  # type: ignore[arg-type]
        raise RemoteError(
            f"{self.client.url} answered with a result that is not an index and a finite {self.dialect.score_field}: "
            f"{self.client.quoted(str(row))}"
        )

    def _words(self, answer: Json) -> str:
        return self.client.quoted(words_of(answer) if isinstance(answer, str) else str(answer))

    def _check_scale_is_asked_for(self) -> None:
        if self.scale == "rank_only" or self.dialect.logits_field is None or self.scale in _ASKABLE:
            return
        if self.scale != "unknown":
            raise InputError(
                f"{self.dialect.name} gives scores as {' or '.join(_ASKABLE)}; the scale {self.scale!r} is neither."
            )

    def _asked_facts(self) -> ServerFacts:
        root = server_root(self.client.url)
        try:
            if self.dialect.name == "tei":
                return tei_facts(self.client.get(f"{root}/info"))
            return model_facts(self.client.get(f"{root}/v1/models"), self.model)
        except RefusedError as error:
            _log.info("%s does not describe itself: %s", root, error)
            return ServerFacts()


def tei_facts(info: Json) -> ServerFacts:
    """Read the answer of TEI's ``/info``."""
    if not isinstance(info, dict):
        return ServerFacts()
    names = ("model_id", "model_sha", "model_dtype", "version")
    revision = " ".join(str(info[name]) for name in names if info.get(name))
    return ServerFacts(_count(info.get("max_client_batch_size")), _count(info.get("max_input_length")), revision)


def model_facts(listing: Json, model: str) -> ServerFacts:
    """Read what a list of models (``/v1/models`` of vLLM and Xinference) says of ``model``."""
    for row in models_of(listing):
        if row.get("id") == model:
            tokens = row.get("max_model_len") or row.get("max_tokens")
            revision = " ".join(str(row[name]) for name in ("root", "model_revision") if row.get(name))
            return ServerFacts(None, _count(tokens), revision)
    return ServerFacts()


def models_of(listing: Json) -> list[dict[str, Json]]:
    """Return the rows of a list of models in the form of OpenAI; none where it has another form."""
    rows = listing.get("data") if isinstance(listing, dict) else None
    return [dict(row) for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _count(value: Json) -> int | None:
    return value if type(value) is int and value > 0 else None
