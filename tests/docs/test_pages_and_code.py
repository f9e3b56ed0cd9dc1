"""What the pages say of the code is what the code says: names, scales, options, variables, counts of calls."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from typing import get_args

import pytest
from tests.docs.pages import LANGUAGES, headings, page_text, tables

from secondpass.cli.rerank import rerank
from secondpass.cli.reranking import RerankerOption
from secondpass.llm.names import PROVIDERS
from secondpass.models.engine import EngineName, Precision
from secondpass.models.graph_shape import KINDS
from secondpass.models.profiles import PROFILES, find_profile
from secondpass.models.rotary_shape import ROTARY_KINDS
from secondpass.registry import RERANKERS
from secondpass.rerank.hosted_formats import DIALECTS
from secondpass.rerank.ranking_names import KINDS as RANKING_KINDS
from secondpass.rerank.ranking_names import open_llm_ranker
from secondpass.types import Chunk, Hit, Message, Reply, Scale, TokenCounts

PASSAGE = re.compile(r"number (\d+)")
LABELLED = re.compile(r'^Passage ([A-W]): "number (\d+)"$', re.MULTILINE)
LISTED = re.compile(r"^\[(\d+)\] number (\d+)$", re.MULTILINE)
OLD_NAMES = {"new"}
"""What older revisions of GTE call themselves."""


class Judge:
    """A chat model without JSON or probabilities that prefers the passage with the larger number."""

    name = "judge"

    def chat(self, messages: Sequence[Message]) -> Reply:
        prompt = "\n".join(message.content for message in messages if message.role == "user")
        listed = LISTED.findall(prompt)
        if labelled := LABELLED.findall(prompt):
            text = "Passage " + max(labelled, key=lambda one: int(one[1]))[0]
        elif listed:
            text = " > ".join(f"[{place}]" for place, _ in sorted(listed, key=lambda one: -int(one[1])))
        else:
            text = str(int(PASSAGE.findall(prompt)[0]) % 11)
        return Reply(text, TokenCounts(1, 1))

    def stream(self, messages: Sequence[Message]) -> Iterator[str | Reply]:
        yield self.chat(messages)


def mean_calls(kind: str, count: int) -> int:
    """How many calls a ranking of ``count`` shuffled passages takes, the ten best wanted; the mean of three."""
    calls = []
    for seed in range(3):
        numbers = random.Random(seed).sample(range(count), count)
        hits = [Hit(Chunk(str(i), f"number {number}"), 0.0, "unknown") for i, number in enumerate(numbers)]
        calls.append(open_llm_ranker(kind, Judge()).rank_with_report("which is the largest?", hits, 10)[1].calls)
    return sum(calls) // len(calls)


@pytest.fixture(params=LANGUAGES)
def rerankers(request: pytest.FixtureRequest) -> str:
    return page_text(request.param, "rerankers")


@pytest.fixture(params=LANGUAGES)
def engines(request: pytest.FixtureRequest) -> str:
    return page_text(request.param, "engines")


def test_every_scale_reranker_service_and_way_of_ranking_is_on_the_page(rerankers: str) -> None:
    for scale in set(get_args(Scale)) - {"bm25", "cosine"}:
        assert f"`{scale}`" in rerankers
    for name in RERANKERS:
        assert f"`{name}`" in rerankers
    for name in DIALECTS:
        assert f"`{name}:" in rerankers
    for name in RANKING_KINDS:
        assert f"`{name}`" in rerankers
    for name in PROVIDERS:
        assert f"`{name}`" in rerankers


def test_every_option_and_variable_is_on_a_page(rerankers: str, engines: str) -> None:
    flags = [param.opts[0] for param in rerank.params if isinstance(param, RerankerOption)]
    assert len(flags) > 10
    assert all(f"`{flag}" in rerankers + engines or f" {flag} " in rerankers + engines for flag in flags)
    variables = {name for dialect in DIALECTS.values() for name in dialect.key_variables}
    variables |= {provider.key_variable for provider in PROVIDERS.values() if provider.key_variable}
    variables |= {"SECONDPASS_OFFLINE", "HF_ENDPOINT", "HF_HUB_OFFLINE", "HF_HUB_CACHE", "HF_HOME"}
    variables |= {"HF_TOKEN", "MODELSCOPE_CACHE", "MODELSCOPE_ENDPOINT", "MODELSCOPE_API_TOKEN"}
    assert all(f"`{name}" in rerankers for name in variables)
    assert all(f"`{name}`" in engines for name in ("SECONDPASS_CACHE", "SECONDPASS_CACHE_GB"))


def test_every_engine_precision_and_architecture_is_on_the_page(engines: str) -> None:
    for name in (*get_args(EngineName), *get_args(Precision), *KINDS, *(set(ROTARY_KINDS) - OLD_NAMES)):
        assert name in engines
        assert f"`{name}`" in engines or f"--engine {name}" in engines


def test_models_named_on_the_page_are_known(rerankers: str) -> None:
    owners = {profile.name.partition("/")[0] for profile in PROFILES}
    found = re.findall(r"[\w-]+/[\w.-]*\w(?![\w*-])", rerankers)
    named = {name for name in found if name.partition("/")[0] in owners}
    assert len(named) > 8
    assert {name for name in named if not find_profile(name)} <= {"Qwen/Qwen3-0.6B"}  # any language model


def test_the_counts_of_calls_are_what_the_rankers_take(rerankers: str) -> None:
    counts = next(table for table in tables(rerankers) if table[0][-3:] == ["10", "20", "100"])[1:]
    checked = set()
    for names, *_, ten, twenty, hundred in counts:
        for kind in re.findall(r"`([\w-]+)`", names):
            found = [mean_calls(kind, 10), mean_calls(kind, 20)]
            assert found == [int(ten), int(twenty)], kind
            if kind != "pairwise-all-pairs":
                assert mean_calls(kind, 100) == int(hundred.replace(",", ""))
            checked.add(kind)
    assert checked == set(RANKING_KINDS)


def test_both_pages_have_a_heading_for_what_is_refused() -> None:
    titles = [title for _, title in headings(page_text("en", "rerankers"))]
    assert {"Scores", "Long passages", "What is refused, and why", "Recipes"} <= set(titles)
