"""Rerankers side by side."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from tests.rerank.scorers import CharacterScorer

from secondpass.errors import InputError
from secondpass.rerank.fusion import METHODS, FusionReranker
from secondpass.rerank.fusion_names import FusionName, open_fusion, parse_fusion
from secondpass.rerank.lexical import LexicalReranker
from secondpass.rerank.ordering import order_by_score
from secondpass.rerank.pairs import PairReranker
from secondpass.types import Chunk, Hit, Scale, Span

PASSAGES = ["西安交大由三校合并。", "西安很大。", "Xi'an is old.", "天气很好。", "学校很多。"]


def hits_of(passages: list[str]) -> list[Hit]:
    return [Hit(Chunk(str(i), text), 0.0, "bm25") for i, text in enumerate(passages)]


@dataclass
class Fixed:
    """A reranker with scores that are written down, by passage."""

    scores: list[float]
    scale: Scale = "logit"
    keeps: int | None = None
    name: str = "fixed"
    span: Span | None = None

    def rerank(self, query, hits, top_n=None):
        scores = np.array([self.scores[int(hit.chunk.id)] for hit in hits], np.float32)
        spans = [self.span or hit.evidence for hit in hits]
        assert top_n is None
        return order_by_score(hits, scores, self.name, self.scale, self.keeps, spans)


def fused(rerankers, method="rrf", weights=None, k=60.0, hits=None):
    out = FusionReranker(rerankers, method, weights, k).rerank("西安", hits or hits_of(PASSAGES))
    return {hit.chunk.id: hit.score for hit in out}


def test_reciprocal_ranks_are_summed_as_published():
    scores = fused([Fixed([5, 4, 3, 2, 1]), Fixed([1, 5, 4, 3, 2])])
    expected = {"0": 1 / 61 + 1 / 65, "1": 1 / 62 + 1 / 61, "2": 1 / 63 + 1 / 62}
    assert next(iter(scores)) == "1"
    assert {key: scores[key] for key in expected} == pytest.approx(expected)


def test_weights_and_k_count():
    scores = fused([Fixed([5, 4, 3, 2, 1]), Fixed([1, 2, 3, 4, 5])], weights=[3, 1], k=0)
    assert next(iter(scores)) == "0"
    assert scores["0"] == pytest.approx(3 / 1 + 1 / 5)


def test_borda_gives_as_many_points_as_there_are_passages_behind():
    scores = fused([Fixed([5, 4, 3, 2, 1]), Fixed([5, 1, 2, 3, 4])], "borda")
    assert scores == {"0": 10, "1": 5, "2": 5, "3": 5, "4": 5}


def test_passages_that_a_reranker_leaves_out_share_the_points_that_are_left():
    scores = fused([Fixed([5, 4, 3, 2, 1], keeps=3)], "borda")
    assert scores == {"0": 5, "1": 4, "2": 3, "3": 1.5, "4": 1.5}
    scores = fused([Fixed([5, 4, 3, 2, 1], keeps=3)], "rrf")
    assert scores["3"] == scores["4"] == 0
    scores = fused([Fixed([5, 4, 3, 2, 1], keeps=3)], "zscore")
    assert scores["2"] == scores["3"] == scores["4"] < 0


def test_z_scores_have_mean_zero_and_deviation_one():
    scores = fused([Fixed([50, 40, 30, 20, 10])], "zscore")
    assert np.mean(list(scores.values())) == pytest.approx(0, abs=1e-6)
    assert np.std(list(scores.values())) == pytest.approx(1)


@pytest.mark.parametrize("value", [0.0, -7.5, 1e30])
def test_constant_scores_say_nothing_by_z_score(value):
    both = fused([Fixed([value] * 5), Fixed([1, 5, 4, 3, 2])], "zscore")
    assert both == fused([Fixed([1, 5, 4, 3, 2])], "zscore")
    assert list(fused([Fixed([value] * 5)], "zscore")) == ["0", "1", "2", "3", "4"]


def test_a_passage_without_text_does_not_squeeze_the_others():
    hits = hits_of(["西安。", "学校。", "", "天气。"])
    out = fused([Fixed([1.0, 2.0, -1000.0, 3.0])], "zscore", hits=hits)
    assert list(out)[-1] == "2"
    assert out["3"] - out["0"] == pytest.approx(np.sqrt(6), rel=1e-5)


def test_an_order_without_scores_is_fused_by_rank_only():
    listwise = Fixed([1, 2, 3, 4, 5], "rank_only", name="listwise")
    with pytest.raises(InputError, match="listwise gives an order without scores; fuse it by rrf or borda"):
        fused([listwise], "zscore")
    assert list(fused([listwise])) == ["4", "3", "2", "1", "0"]
    assert list(fused([Fixed([0] * 5, "rank_only")], "zscore")) == ["0", "1", "2", "3", "4"]


def test_the_stages_of_all_and_their_evidence_are_kept():
    first, second = Fixed([1, 2, 3, 4, 5], name="a"), Fixed([5, 4, 3, 2, 1], name="b", span=Span(0, 2))
    best = FusionReranker([first, second]).rerank("西安", hits_of(PASSAGES))[0]
    assert [stage.stage for stage in best.stages] == ["a", "b", "fuse:a+b"]
    assert [stage.scale for stage in best.stages] == ["logit", "logit", "rrf"]
    assert best.evidence == Span(0, 2)
    pointing = PairReranker(CharacterScorer(points=True))
    best = FusionReranker([first, pointing]).rerank("西安", hits_of(["西安交大", "北京"]))[0]
    assert (best.evidence, best.evidence_confidence) == (Span(0, 1), 1.0)
    assert FusionReranker([first, second], "borda").rerank("西安", hits_of(PASSAGES))[0].scale == "rank_only"


def test_a_passage_that_comes_twice_is_ranked_twice():
    hits = [*hits_of(PASSAGES), *hits_of(PASSAGES)]
    out = FusionReranker([Fixed([5, 4, 3, 2, 1]), LexicalReranker()]).rerank("西安", hits)
    assert sorted(hit.chunk.id for hit in out) == sorted(hit.chunk.id for hit in hits)
    assert all(len({hit.score for hit in out if hit.chunk.id == str(number)}) == 1 for number in range(5))


def test_a_reranker_that_adds_is_caught():
    class Adds:
        name = "adds"

        def rerank(self, query, hits, top_n=None):
            return [*hits, Hit(Chunk("new", "新"), 1.0, "logit")]

    with pytest.raises(InputError, match="adds returned the passage 'new'"):
        fused([Adds()])


score_lists = st.lists(st.integers(-20, 20).map(float), min_size=5, max_size=5)


@given(first=score_lists, second=score_lists, method=st.sampled_from(METHODS), keeps=st.integers(1, 5))
def test_the_result_is_a_permutation_in_falling_order_and_the_same_again(first, second, method, keeps):
    fusion = FusionReranker([Fixed(first), Fixed(second, keeps=keeps)], method)
    out = fusion.rerank("西安", hits_of(PASSAGES))
    assert sorted(hit.chunk.id for hit in out) == ["0", "1", "2", "3", "4"]
    scores = [hit.score for hit in out]
    assert scores == sorted(scores, reverse=True)
    assert np.isfinite(scores).all()
    assert out == fusion.rerank("西安", hits_of(PASSAGES))
    assert fusion.rerank("西安", hits_of(PASSAGES), 2) == out[:2]
    for one, other in pairwise(out):
        assert one.score > other.score or int(one.chunk.id) < int(other.chunk.id)


@given(first=score_lists, second=score_lists, method=st.sampled_from(METHODS))
def test_the_order_of_the_rerankers_changes_nothing(first, second, method):
    one, other = (fused(pair, method) for pair in ([Fixed(first), Fixed(second)], [Fixed(second), Fixed(first)]))
    assert one == other


@given(scores=score_lists, others=score_lists, factor=st.sampled_from([0.25, 2.0, 1024.0]), shift=st.integers(-8, 8))
def test_no_scale_of_the_scores_changes_the_order(scores, others, factor, shift):
    changed = [score * factor + shift for score in scores]
    for method in ("rrf", "borda"):
        assert fused([Fixed(scores), Fixed(others)], method) == fused([Fixed(changed), Fixed(others)], method)
    before = fused([Fixed(scores), Fixed(others)], "zscore")
    after = fused([Fixed(changed), Fixed(others)], "zscore")
    assert after == pytest.approx(before, abs=1e-5)


@given(scores=score_lists)
def test_one_reranker_alone_keeps_its_order(scores):
    assume(len(set(scores)) == 5)
    expected = [str(index) for index in sorted(range(5), key=lambda index: -scores[index])]
    for method in METHODS:
        assert list(fused([Fixed(scores)], method)) == expected


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (([], "rrf"), "0 rerankers"),
        (([LexicalReranker()], "sum"), "no fusion named 'sum'; known are: rrf, borda, zscore"),
        (([LexicalReranker()], "rrf", [1, 2]), "1 rerankers to fuse and 2 weights"),
        (([LexicalReranker()], "rrf", [0]), "not all 0"),
        (([LexicalReranker()], "rrf", [float("nan")]), "0 or more"),
        (([LexicalReranker()], "rrf", None, -1), "constant k"),
    ],
)
def test_what_cannot_be_fused_is_refused(arguments, words):
    with pytest.raises(InputError, match=words):
        FusionReranker(*arguments)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("lexical+cohere:rerank-v3.5", FusionName("rrf", ("lexical", "cohere:rerank-v3.5"), (1.0, 1.0))),
        ("borda:lexical + BAAI/bge", FusionName("borda", ("lexical", "BAAI/bge"), (1.0, 1.0))),
        ("zscore:a*2+b*0.5+c", FusionName("zscore", ("a", "b", "c"), (2.0, 0.5, 1.0))),
        ("cohere:m+lexical", FusionName("rrf", ("cohere:m", "lexical"), (1.0, 1.0))),
        ("./模型+lexical", FusionName("rrf", ("./模型", "lexical"), (1.0, 1.0))),
    ],
)
def test_a_name_says_method_members_and_weights(text, name):
    assert parse_fusion(text) == name


@pytest.mark.parametrize("text", ["lexical", "lexical+", "lexical*x+b", "borda:", "+"])
def test_a_name_that_fuses_nothing_is_refused(text):
    with pytest.raises(InputError, match="is no fusion; write two rerankers or more"):
        parse_fusion(text)


@pytest.mark.parametrize("text", ["fixed+fixed", "borda:fixed*2+fixed"])
def test_the_name_of_a_fusion_opens_it_again(text):
    assert open_fusion(text, lambda name: Fixed([1] * 5, name=name)).name == f"fuse:{text}"
