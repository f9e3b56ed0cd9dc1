"""Runs as people write them."""

from __future__ import annotations

import pytest
from tests.rerank.scorers import CharacterScorer

from secondpass.config import RerankSpec, RetrieveSpec, make_reranker, parse_weights
from secondpass.errors import InputError
from secondpass.rerank.cascade import CascadeReranker
from secondpass.rerank.diversity import MMRReranker
from secondpass.rerank.options import RerankerOptions
from secondpass.rerank.pairs import PairReranker
from secondpass.rerank.reading_order import ReadingOrderReranker
from secondpass.rerank.threshold import MinScore
from secondpass.types import Chunk, Hit


@pytest.mark.parametrize(
    ("text", "name", "top_k"),
    [("bm25", "bm25", 10), ("lexical@7", "bm25", 7), ("dense@50", "dense", 50), (" hybrid@100 ", "hybrid", 100)],
)
def test_a_first_stage_is_a_name_and_a_depth(text: str, name: str, top_k: int) -> None:
    spec = RetrieveSpec.parse(text)
    assert (spec.name, spec.top_k) == (name, top_k)
    assert RetrieveSpec.parse(str(spec)) == spec


@pytest.mark.parametrize(
    ("text", "top_n"), [("lexical", 3), ("lexical@1", 1), ("lexical@all", None), ("lexical@20", 20)]
)
def test_a_second_stage_keeps_three_unless_told(text: str, top_n: int | None) -> None:
    assert RerankSpec.parse(text) == RerankSpec("lexical", top_n)
    assert RerankSpec.parse(str(RerankSpec("lexical", top_n))) == RerankSpec("lexical", top_n)


@pytest.mark.parametrize("text", ["", "@3", "bm25@0", "bm25@-1", "bm25@three", "向量@3"])
def test_a_first_stage_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        RetrieveSpec.parse(text)


@pytest.mark.parametrize("name", ["dedupe", "edges", "merge", "mmr"])
def test_a_step_without_scores_of_its_own_keeps_everything_unless_told(name: str) -> None:
    assert RerankSpec.parse(name) == RerankSpec(name, None)
    assert RerankSpec.parse(f"{name}@2") == RerankSpec(name, 2)


def test_a_lowest_score_and_a_budget_belong_to_the_last_stage_that_scores() -> None:
    texts = ["茶水", "茶叶", "水", "茶叶好"]
    hits = [Hit(Chunk(str(place), text), 0.0, "unknown") for place, text in enumerate(texts)]
    steps = [MMRReranker(), ReadingOrderReranker()]
    strong = PairReranker(CharacterScorer())
    for budget in (None, 30.0):
        options = RerankerOptions(min_score=MinScore(0.5, "probability"), budget_seconds=budget)
        reranker = make_reranker([strong, *steps], options)
        assert reranker is not None
        out = reranker.rerank("茶叶", hits)
        assert {hit.chunk.id for hit in out} == {"0", "1", "3"}
        assert [stage.stage for stage in out[0].stages][-3:] == ["characters", "mmr", "edges"]


def test_an_unknown_reranker_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(InputError, match="Did you mean 'lexical'"):
        RerankSpec.parse("lexcal@3")


@pytest.mark.parametrize("text", ["", "1,2,3", "a=1,b=2", "bm25=x,dense=1", "bm25=1,bm25=2,dense"])
def test_weights_are_two_numbers(text: str) -> None:
    with pytest.raises(InputError, match="such as bm25=1"):
        parse_weights(text)


def test_no_stages_make_no_reranker_and_several_make_a_cascade() -> None:
    assert make_reranker([]) is None
    cascade = make_reranker(["lexical@20", RerankSpec("lexical", 3)])
    assert isinstance(cascade, CascadeReranker)
    assert cascade.name == "lexical@20>lexical@3"
