"""Rerankers that run elsewhere: Cohere, Jina, Voyage, DashScope, SiliconFlow, NVIDIA, TEI, Infinity, vLLM, Xinference.

What goes over the wire stands in `hosted_formats`; `hosted_names` opens one by name. A passage longer than the service
reads is sent in windows of whole sentences, and the best window's score is the passage's. The model's tokens are
estimated here: a text that is longer than its estimate is refused by the server, or cut by it and said to be cut,
where the dialect can say so (TEI, vLLM, Voyage, NVIDIA); the others cut without a word.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from secondpass.errors import InputError
from secondpass.rerank.hosted_formats import find_dialect, gives_probability, is_listwise, max_tokens_of
from secondpass.rerank.hosted_service import HostedScore, HostedService, HostedSettings
from secondpass.rerank.ordering import check_top_n, order_by_score
from secondpass.rerank.passage_windows import sentence_windows
from secondpass.rerank.score_cache import ScoreCache, kept_together
from secondpass.text.language import estimate_tokens
from secondpass.text.surrogates import encodable
from secondpass.types import Hit, PassageScore, Scale, Span

_ESTIMATE = 0.7
"""How much of a limit is used: estimates of tokens are good to a quarter."""
_TEMPLATE_TOKENS = 16


class HostedScorer:
    """Scores pairs at a service that reads each passage by itself; safe to share between threads.

    ``dialect`` is a row of `hosted_formats.DIALECTS`. ``url``: the server, or the whole address to post to (None: the
    provider's). ``api_key`` is sent there and nowhere else.

    Raises:
        InputError: the dialect is not known, needs an address that is not given, or cannot do what the settings say.
    """

    def __init__(
        self,
        dialect: str,
        model: str = "",
        url: str | None = None,
        api_key: str | None = None,
        settings: HostedSettings | None = None,
    ) -> None:
        self._settings = settings or HostedSettings()
        row = find_dialect(dialect)
        if row.base_url is None and url is None:
            raise InputError(
                f"{dialect} runs on a server of your own; give its address, such as http://localhost:8080."
            )
        if row.needs_model and not model:
            raise InputError(f"{dialect} needs the name of a model, such as {dialect}:MODEL.")
        self._url = url
        self.service = HostedService(row, model, url, api_key, self._settings)

    @property
    def name(self) -> str:
        """Dialect, model and, for another server than the provider's, its address."""
        parts = [self.service.dialect.name, self.service.model]
        named = ":".join(part for part in parts if part)
        if self._url is None:
            return named
        return f"{named}@{self._url}" if self.service.model else f"{named}:{self._url}"

    @property
    def scale(self) -> Scale:
        """What the scores mean."""
        return self.service.scale

    @property
    def fingerprint(self) -> str:
        """Everything known here that a score depends on; a provider may still change its model behind the name."""
        facts = self.service.facts()
        parts = (self.name, self.scale, self._settings.instruction or "", str(self._max_tokens()), facts.revision)
        return "hosted\0" + "\0".join(parts)

    @property
    def gives_probability(self) -> bool:
        """True for open models whose authors publish the logistic function of their logit as a probability."""
        return gives_probability(f"{self.service.model} {self.service.facts().revision}", self.scale)

    def score(self, query: str, passages: Sequence[str]) -> list[PassageScore]:
        """Score ``passages``, in their order; the passage and its windows are sent once each.

        Raises:
            RemoteError: the service refused, failed, was too slow, or answered with anything but a score for each.
        """
        limit = self._window_tokens(query)
        windows = [sentence_windows(text, limit) if limit else [Span(0, len(text))] for text in passages]
        texts = [text[span.start : span.end] for text, spans in zip(passages, windows, strict=True) for span in spans]
        distinct = list(dict.fromkeys(texts))
        scores = dict(zip(distinct, self._scores(query, distinct), strict=True))
        return [_merged(text, spans, scores) for text, spans in zip(passages, windows, strict=True)]

    def batches(self, query: str, texts: Sequence[str]) -> list[Sequence[str]]:
        """Return ``texts`` cut into requests that the service takes."""
        row, facts = self.service.dialect, self.service.facts()
        max_texts = min(self._settings.batch_size or row.max_texts, facts.max_texts or row.max_texts)
        max_tokens = row.max_request_tokens and int(row.max_request_tokens * _ESTIMATE)
        question = estimate_tokens(query)
        batches: list[Sequence[str]] = []
        first = tokens = 0
        for index, text in enumerate(texts):
            more = question + estimate_tokens(text)
            if index > first and (index - first == max_texts or (max_tokens and tokens + more > max_tokens)):
                batches.append(texts[first:index])
                first, tokens = index, 0
            tokens += more
        return [*batches, texts[first:]] if first < len(texts) else batches

    def _scores(self, query: str, texts: Sequence[str]) -> list[HostedScore]:
        batches = self.batches(query, texts)
        if len(batches) < 2:
            return [score for batch in batches for score in self.service.ask(query, batch)]
        with ThreadPoolExecutor(min(len(batches), self._settings.max_concurrency)) as threads:
            asked = [threads.submit(self.service.ask, query, batch) for batch in batches]
            try:
                return [score for future in asked for score in future.result()]
            finally:
                for future in asked:  # after an error, what has not begun is not asked for (and not paid)
                    future.cancel()

    def _max_tokens(self) -> int | None:
        known = self.service.facts().max_tokens or max_tokens_of(self.service.dialect, self.service.model)
        return self._settings.max_passage_tokens or known

    def _window_tokens(self, query: str) -> int | None:
        """Return the longest passage to send, in estimated tokens; None: no limit is known."""
        limit = self._max_tokens()
        if limit is None:
            return None
        if self._settings.max_passage_tokens:
            return limit
        room = int(limit * _ESTIMATE) - estimate_tokens(query) - _TEMPLATE_TOKENS
        return max(room, limit // 4, 1)


class HostedListReranker:
    """Rerank by a model that reads all passages together, in one request; its scores are worth their order only.

    What ``cache`` knows of the same list is not asked again.
    """

    def __init__(self, scorer: HostedScorer, cache: ScoreCache | None = None) -> None:
        self.scorer = scorer
        self._cache = cache

    @property
    def name(self) -> str:
        """The service's name, the model's, and the server's address."""
        return self.scorer.name

    def rerank(self, query: str, hits: Sequence[Hit], top_n: int | None = None) -> list[Hit]:
        """Return the best ``top_n`` of ``hits``; passages without text come last.

        Raises:
            InputError: there are more passages than one request may hold.
        """
        check_top_n(top_n)
        given = [encodable(hit.chunk.text) for hit in hits]
        query, texts = encodable(query), list(dict.fromkeys(text for text in given if text.strip()))
        if not query.strip() or not texts:
            return order_by_score(hits, np.zeros(len(hits), np.float32), self.name, "rank_only", top_n)
        if len(self.scorer.batches(query, texts)) > 1:
            raise InputError(f"{self.name} reads all passages together, and {len(texts)} are too many; rerank fewer.")
        scores = kept_together(self._cache, self.scorer.fingerprint, query, texts, lambda: self._asked(query, texts))
        lowest = min(score.score for score in scores.values()) - 1
        values = [scores[text].score if text.strip() else lowest for text in given]
        return order_by_score(hits, np.array(values, np.float64).astype(np.float32), self.name, "rank_only", top_n)

    def _asked(self, query: str, texts: Sequence[str]) -> dict[str, PassageScore]:
        said = self.scorer.service.ask(query, texts)
        return {text: PassageScore(one.score, truncated=one.cut) for text, one in zip(texts, said, strict=True)}


def reads_together(scorer: HostedScorer) -> bool:
    """Tell whether the scorer's model reads all passages together."""
    return is_listwise(scorer.service.model)


def _merged(text: str, spans: Sequence[Span], scores: dict[str, HostedScore]) -> PassageScore:
    """Return the best window's score as the passage's; the first of equals."""
    found = [scores[text[span.start : span.end]] for span in spans]
    best = max(range(len(spans)), key=lambda index: found[index].score)
    return PassageScore(
        score=found[best].score,
        span=spans[best] if len(spans) > 1 else None,
        windows=len(spans),
        truncated=any(score.cut for score in found),
    )
