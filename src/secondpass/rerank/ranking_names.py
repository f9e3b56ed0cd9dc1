"""``listwise:openai/qwen-max`` and the like to a reranker: a way of asking, and the chat model that is asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from secondpass.errors import InputError
from secondpass.llm.addresses import is_this_machine
from secondpass.llm.names import open_llm
from secondpass.rerank.consistency import SelfConsistentRanking
from secondpass.rerank.listwise import ListwiseRanking
from secondpass.rerank.llm_reranker import LLMReranker, PromptLimits
from secondpass.rerank.options import RerankerOptions
from secondpass.rerank.pairwise import PairwiseRanking
from secondpass.rerank.pointwise import PointwiseRanking
from secondpass.rerank.ranking_cache import DiskReplies, ReplyCache
from secondpass.rerank.ranking_calls import CallOptions
from secondpass.rerank.ranking_method import RankingMethod
from secondpass.rerank.setwise import SetwiseRanking
from secondpass.types import LLM

_ON_THIS_MACHINE = ("ollama", "replay")
_REPLIES = ".replies.sqlite"
"""Replies are kept beside the scores: one file says how much a passage is worth, the other what a model said."""

KINDS: Mapping[str, Callable[[], RankingMethod]] = {
    "listwise": ListwiseRanking,
    "listwise-single": lambda: ListwiseRanking(form="single"),
    "listwise-text": lambda: ListwiseRanking(reply_as="text"),
    "pairwise": PairwiseRanking,
    "pairwise-all-pairs": lambda: PairwiseRanking("all_pairs"),
    "pairwise-sliding": lambda: PairwiseRanking("sliding"),
    "pairwise-text": lambda: PairwiseRanking(reply_as="text"),
    "setwise": SetwiseRanking,
    "setwise-bubblesort": lambda: SetwiseRanking("bubblesort"),
    "setwise-text": lambda: SetwiseRanking(reply_as="text"),
    "pointwise": PointwiseRanking,
    "pointwise-log-odds": lambda: PointwiseRanking("log_odds"),
    "pointwise-grade": lambda: PointwiseRanking("grade"),
}


def split_ranker_name(name: str) -> tuple[str, str]:
    """Return the kind of a ranker and the name of its chat model, as `secondpass.llm.names.open_llm` takes it.

    >>> split_ranker_name("listwise:ollama/qwen2:7b-instruct-q4_0")
    ('listwise', 'ollama:qwen2:7b-instruct-q4_0')

    Raises:
        InputError: the kind is not known, or no provider or model is named.
    """
    kind, _, rest = name.partition(":")
    provider, slash, model = rest.partition("/")
    if kind not in KINDS or not provider or not slash or not model:
        raise InputError(
            f"A chat model that ranks is named KIND:PROVIDER/MODEL, such as listwise:openai/qwen-max; found {name!r}. "
            f"Kinds: {', '.join(KINDS)}."
        )
    return kind, f"{provider}:{model}"


def open_llm_ranker(
    kind: str,
    llm: LLM,
    calls: CallOptions | None = None,
    limits: PromptLimits | None = None,
    cache: ReplyCache | None = None,
    runs: int = 1,
    seed: int = 0,
) -> LLMReranker:
    """Make a reranker of ``llm`` that asks in the way ``kind`` names (`KINDS`); ``runs`` above 1 shuffle and combine.

    Raises:
        InputError: the kind is not known.
    """
    if kind not in KINDS:
        raise InputError(f"There is no way of ranking named {kind!r}; known are: {', '.join(KINDS)}.")
    method = KINDS[kind]()
    return LLMReranker(SelfConsistentRanking(method, runs, seed) if runs > 1 else method, llm, calls, limits, cache)


def _is_here(provider: str, url: str | None) -> bool:
    """Tell whether nothing but this machine is asked."""
    return is_this_machine(url) if url else provider in _ON_THIS_MACHINE


def open_with(name: str, options: RerankerOptions) -> LLMReranker:
    """Open the ranker ``name`` (``listwise:openai/qwen-max``) as ``options`` say.

    Raises:
        InputError: the name cannot be read, the provider's key is missing, or nothing may be asked of the network.
    """
    kind, model = split_ranker_name(name)
    if options.offline and not _is_here(model.partition(":")[0], options.url):
        raise InputError(f"{name} is a service of the network, which is not to be used (offline).")
    cache = DiskReplies(options.cache.with_suffix(_REPLIES)) if options.cache else None
    llm = open_llm(model, options.url)
    return open_llm_ranker(kind, llm, options.calls, cache=cache, runs=options.ranking_runs)
