"""A chat model as a reranker: what all ways of asking share, from hits to hits.

Passages are fenced, cut to the prompt's room, shown once where they are equal, and not at all where they are empty.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

from secondpass.errors import InputError
from secondpass.rerank.ordering import check_top_n, with_score
from secondpass.rerank.ranking_cache import MemoryReplies, ReplyCache
from secondpass.rerank.ranking_calls import TOKENS_A_MESSAGE, CallEngine, CallOptions, RankingRun
from secondpass.rerank.ranking_method import Ranking, RankingMethod, in_order
from secondpass.rerank.ranking_passages import ShownPassages, cut_to_tokens, fence, show
from secondpass.rerank.ranking_report import RankingReport
from secondpass.text.language import estimate_tokens
from secondpass.types import LLM, Hit, StageScore, StructuredLLM

_log = logging.getLogger(__name__)
_LEAST_PASSAGE_TOKENS = 16  # less of a passage helps nobody
_QUERY_SHARE = 4  # a query takes at most one part in so many of a prompt
_LOWEST_RANK, _LOWEST_LOG_ODDS = 0.0, -1000.0


@dataclass(frozen=True, slots=True)
class PromptLimits:
    """How long a prompt and each passage in it may be, in estimated tokens; passages share what the prompt leaves.

    The model's context must hold ``max_prompt_tokens`` and the reply (Ollama's holds 4,096 tokens unless told
    otherwise, and cuts off what is more without a word).
    """

    max_prompt_tokens: int = 8000
    max_passage_tokens: int = 512


class LLMReranker:
    """Order hits by what a chat model says of them, asked by ``method``.

    Scores are ``rank_only`` (N for the best of N different passages, equal for equal passages), but for pointwise
    log-odds. Passages without text come last; a question without text keeps the given order. Replies are remembered in
    ``cache`` (default: in memory, the last 10,000).
    """

    def __init__(
        self,
        method: RankingMethod,
        llm: LLM,
        calls: CallOptions | None = None,
        limits: PromptLimits | None = None,
        cache: ReplyCache | None = None,
    ) -> None:
        self._method = method
        self._limits = limits or PromptLimits()
        self._engine = CallEngine(llm, calls or CallOptions(), cache or MemoryReplies())

    @property
    def name(self) -> str:
        """The way of asking and the model."""
        return f"{self._method.name}:{self._engine.llm.name}"

    @property
    def fingerprint(self) -> str | None:
        """Everything known here that an order depends on; None where the model does not say what it is.

        The way of asking is known by its name: settings of it that are not in the name are not seen.
        """
        llm = self._engine.llm
        return f"{self.name}\0{llm.fingerprint}\0{self._limits}" if isinstance(llm, StructuredLLM) else None

    def rerank(self, query: str, hits: Sequence[Hit], top_n: int | None = None) -> list[Hit]:
        """Return the best ``top_n`` of ``hits``, best first; what went wrong on the way is logged in one line.

        Raises:
            RemoteError: the model's server failed several times in a row, or gave no reply at all.
        """
        ranked, report = self.rank_with_report(query, hits, top_n)
        _log.info("%s: %s", self.name, report.summary)
        if report.troubles:
            _log.warning("%s: %s.", self.name, report.troubles)
        return ranked

    def rank_with_report(
        self, query: str, hits: Sequence[Hit], top_n: int | None = None
    ) -> tuple[list[Hit], RankingReport]:
        """Return what `rerank` returns, and what it took.

        Raises:
            RemoteError: as `rerank`.
        """
        check_top_n(top_n)
        fenced = fence(query)
        asked = cut_to_tokens(fenced, max(1, self._limits.max_prompt_tokens // _QUERY_SHARE)) if fenced else ""
        if not asked or not hits:
            stages = [StageScore(self.name, rank, _LOWEST_RANK, "rank_only") for rank in range(1, len(hits) + 1)]
            kept = [with_score(hit, stage, hit.evidence) for hit, stage in zip(hits, stages, strict=True)]
            return kept[:top_n], RankingReport()
        shown = show([hit.chunk.text for hit in hits], self._room(asked, len(hits)))
        run = RankingRun(self._engine)
        ranking = self._rank(run, asked, shown, len(hits) if top_n is None else top_n)
        report = replace(
            run.report(),
            duplicates=shown.duplicates,
            empty=shown.empty,
            truncated=sum(shown.cut),
            query_truncated=len(asked) < len(fenced),
            agreement=ranking.agreement,
            position_bias=ranking.position_bias,
        )
        return self._placed(hits, shown, ranking, top_n), report

    def _rank(self, run: RankingRun, query: str, shown: ShownPassages, wanted: int) -> Ranking:
        if len(shown.texts) < max(1, self._method.least):
            return in_order([], len(shown.texts))
        return self._method.rank(run, query, shown.texts, wanted)

    def _room(self, query: str, count: int) -> int:
        """Return how many tokens of a passage the longest prompt has room for."""
        together = max(self._method.least, self._method.shown_together(count))
        blank = self._method.longest_prompt(query, [""] * together)
        fixed = sum(estimate_tokens(message.content) + TOKENS_A_MESSAGE for message in blank)
        room = (self._limits.max_prompt_tokens - fixed) // together
        if room < _LEAST_PASSAGE_TOKENS:
            raise InputError(
                f"A prompt of {self._limits.max_prompt_tokens} tokens has no room for {together} passages beside the "
                f"question and the instructions ({fixed} tokens); raise max_prompt_tokens, or show fewer at once."
            )
        return min(room, self._limits.max_passage_tokens)

    def _placed(self, hits: Sequence[Hit], shown: ShownPassages, ranking: Ranking, top_n: int | None) -> list[Hit]:
        lowest = _LOWEST_RANK if ranking.scale == "rank_only" else _LOWEST_LOG_ODDS
        scores = [lowest if place is None else ranking.scores[place] for place in shown.places]
        order = sorted(range(len(hits)), key=lambda index: (shown.places[index] is None, -scores[index]))
        return [
            replace(
                with_score(
                    hits[index], StageScore(self.name, rank, scores[index], ranking.scale), hits[index].evidence
                ),
                truncated=hits[index].truncated or shown.cut[index],
            )
            for rank, index in enumerate(order[:top_n], start=1)
        ]
