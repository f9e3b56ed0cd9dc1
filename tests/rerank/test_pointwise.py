"""One passage at a time."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.llm.openai_server import words
from tests.rerank.test_listwise import PASSAGES, QUESTION
from tests.rerank.word_judge import FunctionLLM, StructuredWordJudge, WordJudge, hits_of, ids

from secondpass.llm.openai import OpenAIChat
from secondpass.rerank.llm_reranker import LLMReranker
from secondpass.rerank.pointwise import PointwiseRanking, log_odds
from secondpass.rerank.ranking_calls import CallOptions
from secondpass.types import TokenChance


def expected_odds(query: str, passage: str) -> float:
    return len(words(query) & words(passage)) - 1.5


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("model", ["rank", "rank-think"])
def test_where_a_server_tells_probabilities_scores_are_log_odds(server_url: str, model: str, language: str) -> None:
    reranker = LLMReranker(PointwiseRanking(), OpenAIChat(model, server_url))
    hits = hits_of(PASSAGES[language])
    out, report = reranker.rank_with_report(QUESTION[language], hits)
    assert out[0].chunk.id == "2"
    for hit in out:
        assert hit.scale == "log_odds"
        assert hit.score == pytest.approx(expected_odds(QUESTION[language], hit.chunk.text), abs=1e-6)
    assert (report.questions, report.calls, report.cache_hits) == (5, 4, 1)
    assert (report.clean, report.troubles) == (5, "")


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("model", ["rank-plain", "rank-ignores"])
def test_where_it_does_not_passages_are_graded_and_the_scores_are_ranks_only(
    server_url: str, model: str, language: str
) -> None:
    reranker = LLMReranker(PointwiseRanking(), OpenAIChat(model, server_url))
    out, report = reranker.rank_with_report(QUESTION[language], hits_of(PASSAGES[language]))
    assert out[0].chunk.id == "2"
    for hit in out:
        assert hit.scale == "rank_only"
        assert hit.score == min(10, len(words(QUESTION[language]) & words(hit.chunk.text)))
    assert report.calls == 5
    assert report.unstructured == 0


def test_a_server_with_fewer_probabilities_is_asked_for_fewer(server_url: str) -> None:
    out = LLMReranker(PointwiseRanking(), OpenAIChat("rank-five", server_url)).rerank(
        QUESTION["zh"], hits_of(PASSAGES["zh"])
    )
    assert {hit.scale for hit in out} == {"log_odds"}


@pytest.mark.parametrize("llm", [WordJudge(), StructuredWordJudge()])
def test_a_score_does_not_depend_on_the_neighbours(llm) -> None:
    together = LLMReranker(PointwiseRanking(), llm).rerank(QUESTION["zh"], hits_of(PASSAGES["zh"]))
    for hit in together:
        alone = LLMReranker(PointwiseRanking(), llm).rerank(
            QUESTION["zh"], [hits_of(PASSAGES["zh"])[int(hit.chunk.id)]]
        )
        assert alone[0].score == pytest.approx(hit.score)


def test_passages_without_an_answer_follow_and_the_scores_are_ranks_then() -> None:
    llm = FunctionLLM(lambda messages: "无法判断" if "难" in messages[1].content else '{"relevance": 3}')
    out, report = LLMReranker(PointwiseRanking("grade"), llm).rank_with_report(
        "茶", hits_of(["难一", "茶", "难二", "水"])
    )
    assert ids(out) == [1, 3, 0, 2]
    assert [hit.score for hit in out] == [4, 3, 2, 1]
    assert (report.fallback, report.clean) == (2, 2)


def test_a_budget_leaves_the_rest_in_the_given_order() -> None:
    options = CallOptions(max_calls=3, max_concurrent_calls=1)
    texts = ["水", "茶叶", "西安交通大学", "西安", "西安交通大学合并"]
    out, report = LLMReranker(PointwiseRanking("grade"), WordJudge(), options).rank_with_report(
        QUESTION["zh"], hits_of(texts)
    )
    assert ids(out) == [2, 0, 1, 3, 4]
    assert (report.calls, report.skipped) == (3, 2)


def chances(**values: float) -> list[TokenChance]:
    return [TokenChance(token, value) for token, value in values.items()]


@given(st.floats(0.01, 0.98))
def test_all_writings_of_yes_and_no_are_summed(yes: float) -> None:
    parts = {"Yes": 0.5 * yes, " yes": 0.3 * yes, "是": 0.2 * yes, "No": 0.6 * (1 - yes), "否": 0.4 * (1 - yes)}
    told = [TokenChance(token, math.log(part)) for token, part in parts.items()]
    assert log_odds(told) == pytest.approx(math.log(yes / (1 - yes)), abs=1e-9)


def test_a_side_that_is_not_told_is_no_likelier_than_the_least_likely() -> None:
    assert log_odds(chances(Yes=-0.1, maybe=-4.0)) == pytest.approx(3.9)
    assert log_odds(chances(不=-0.2, 也许=-3.0)) == pytest.approx(-2.8)
    assert log_odds(chances(maybe=-0.1)) is None
    assert log_odds(chances(ＹＥＳ=-1.0, ĠNO=-2.0)) == pytest.approx(1.0)


def test_an_unlikely_pair_of_words_is_asked_for_again_and_then_left_out() -> None:
    class Hesitant(StructuredWordJudge):
        def ask(self, messages, form):
            reply = super().ask(messages, form)
            return type(reply)("Maybe", reply.tokens, first_tokens=(TokenChance("Maybe", -0.1),))

    out, report = LLMReranker(PointwiseRanking("log_odds"), Hesitant()).rank_with_report("茶", hits_of(["一", "二"]))
    assert ids(out) == [0, 1]
    assert {hit.scale for hit in out} == {"rank_only"}
    assert (report.fallback, report.repeats) == (2, 2)
