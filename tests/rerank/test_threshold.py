import logging

import pytest
from tests.rerank.scorers import CharacterScorer

from secondpass.errors import InputError
from secondpass.rerank.budget import BudgetReranker
from secondpass.rerank.lexical import LexicalReranker
from secondpass.rerank.pairs import PairReranker
from secondpass.rerank.threshold import MinScore, ThresholdReranker
from secondpass.types import Chunk, Hit

HITS = [Hit(Chunk(str(i), text), 0.0, "unknown") for i, text in enumerate(["水", "茶水", "茶叶"])]


@pytest.mark.parametrize(("threshold", "kept"), [("logit=3", ["2"]), ("logit=0", ["2", "1"]), ("logit=4.1", [])])
def test_what_scores_below_is_dropped_even_if_nothing_is_left(threshold, kept):
    reranker = ThresholdReranker(PairReranker(CharacterScorer()), MinScore.parse(threshold))
    assert [hit.chunk.id for hit in reranker.rerank("茶叶", HITS)] == kept


def test_a_logit_model_is_held_against_a_probability_through_its_own():
    reranker = ThresholdReranker(PairReranker(CharacterScorer()), MinScore(0.5, "probability"))
    assert [hit.chunk.id for hit in reranker.rerank("茶叶", HITS)] == ["2", "1"]


def test_a_threshold_on_another_scale_is_refused_with_the_scales_that_work():
    scorer = CharacterScorer(scale="maxsim", gives_probability=False)
    with pytest.raises(InputError, match="maxsim=NUMBER") as caught:
        ThresholdReranker(PairReranker(scorer), MinScore(0.5, "probability")).rerank("茶", HITS)
    assert "or probability" not in str(caught.value)
    with pytest.raises(InputError, match="logit=NUMBER or probability=NUMBER"):
        ThresholdReranker(PairReranker(CharacterScorer()), MinScore(0.5, "bm25")).rerank("茶", HITS)


@pytest.mark.parametrize("text", ["0.5", "probability", "logit=high", "logit=nan", "rank_only=1", "=1", ""])
def test_a_number_without_a_scale_is_refused(text):
    with pytest.raises(InputError, match="write a scale and a number"):
        MinScore.parse(text)


@pytest.mark.parametrize("scale", ["rank_only", "unknown"])
def test_where_only_the_order_counts_no_scale_is_advised_that_would_be_refused(scale):
    scorer = CharacterScorer(scale=scale, gives_probability=False)
    with pytest.raises(InputError, match="only their order counts, so leave the lowest score out") as caught:
        ThresholdReranker(PairReranker(scorer), MinScore(-2, "logit")).rerank("茶", HITS)
    assert "=NUMBER" not in str(caught.value)


@pytest.mark.parametrize("query", ["", " ", "\n\u3000"])
@pytest.mark.parametrize("threshold", ["logit=-2", "probability=0.5", "log_odds=1000"])
def test_a_blank_question_judges_nothing_and_what_is_given_comes_back(query, threshold, caplog):
    strong = PairReranker(CharacterScorer())
    budgeted = BudgetReranker(LexicalReranker(), strong, 30.0)
    caplog.set_level(logging.INFO)
    for inner, judge in ((strong, None), (LexicalReranker(), None), (budgeted, strong.name)):
        reranker = ThresholdReranker(inner, MinScore.parse(threshold), judge)
        assert [hit.chunk.id for hit in reranker.rerank(query, HITS)] == ["0", "1", "2"]
        assert [hit.chunk.id for hit in reranker.rerank(query, HITS, 2)] == ["0", "1"]
    assert "the question is blank" in caplog.text
