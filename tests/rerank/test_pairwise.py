"""Two passages at a time, in both orders."""

import pytest
from tests.rerank.test_listwise import PASSAGES, QUESTION
from tests.rerank.word_judge import FunctionLLM, WordJudge, hits_of, ids

from secondpass.errors import InputError
from secondpass.llm.openai import OpenAIChat
from secondpass.rerank.llm_reranker import LLMReranker
from secondpass.rerank.pairwise import PairwiseRanking
from secondpass.rerank.ranking_calls import CallOptions

SORTS = ["all_pairs", "heapsort", "sliding"]


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("sort", SORTS)
def test_the_better_of_two_wins(sort, language: str) -> None:
    out = LLMReranker(PairwiseRanking(sort), WordJudge()).rerank(QUESTION[language], hits_of(PASSAGES[language]))
    assert out[0].chunk.id == "2"
    assert out[-1].chunk.id == "0"
    assert {hit.scale for hit in out} == {"rank_only"}


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("answer", ["Passage A", "段落 B", "both", ""])
def test_a_model_that_always_takes_the_same_place_changes_nothing(sort, answer: str) -> None:
    out = LLMReranker(PairwiseRanking(sort), FunctionLLM(lambda _: answer)).rerank("茶", hits_of(list("一二三四五六")))
    assert ids(out) == list(range(6))


def test_an_unreadable_answer_is_a_draw_and_counted() -> None:
    llm = FunctionLLM(lambda messages: "我不知道" if "三" in messages[1].content else "A")
    out, report = LLMReranker(PairwiseRanking("all_pairs"), llm).rank_with_report("茶", hits_of(["一", "二", "三"]))
    assert [hit.score for hit in out] == [1.0, 1.0, 1.0]
    assert (report.questions, report.fallback, report.clean, report.repeats, report.calls) == (6, 4, 2, 4, 10)


@pytest.mark.parametrize("sort", SORTS)
def test_what_a_budget_leaves_out_keeps_the_given_order(sort) -> None:
    judge = WordJudge()
    texts = [f"无关 {number}" for number in range(19)] + ["西安交通大学"]
    reranker = LLMReranker(PairwiseRanking(sort), judge, CallOptions(max_calls=9))
    out, report = reranker.rank_with_report(QUESTION["zh"], hits_of(texts))
    assert sorted(ids(out)) == list(range(20))
    assert len(judge.asked) == report.calls == 9
    assert report.skipped > 0
    assert ids(out) == list(range(20))


@pytest.mark.parametrize("sort", ["heapsort", "sliding"])
def test_the_head_does_not_depend_on_how_much_of_it_is_wanted(sort) -> None:
    texts = [f"{'西安交通大学由三所学校合并'[: number % 9]} {number}" for number in range(15)]
    whole = LLMReranker(PairwiseRanking(sort), WordJudge()).rerank(QUESTION["zh"], hits_of(texts))
    for top_n in (1, 3, 12):
        out, report = LLMReranker(PairwiseRanking(sort), WordJudge()).rank_with_report(
            QUESTION["zh"], hits_of(texts), top_n
        )
        assert ids(out) == ids(whole)[:top_n]
        assert report.calls > 0


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("model", ["rank", "rank-plain", "rank-ignores", "rank-think"])
@pytest.mark.parametrize("reply_as", ["auto", "text"])
def test_a_real_server_is_asked_for_labels_by_a_schema_and_where_it_has_none_for_text(
    server_url: str, sort, language: str, model: str, reply_as
) -> None:
    reranker = LLMReranker(PairwiseRanking(sort, reply_as=reply_as), OpenAIChat(model, server_url))
    out, report = reranker.rank_with_report(QUESTION[language], hits_of(PASSAGES[language]))
    assert out[0].chunk.id == "2"
    assert (report.clean, report.fallback, report.failed) == (report.questions, 0, 0)
    in_text = reply_as == "auto" and model in ("rank-plain", "rank-ignores")
    assert report.unstructured == (report.questions if in_text else 0)
    assert report.calls == (12 if sort == "all_pairs" else report.questions - report.cache_hits)
    assert report.troubles == ""


def test_a_server_that_answers_without_text_leaves_every_pair_a_draw(server_url: str) -> None:
    reranker = LLMReranker(PairwiseRanking("all_pairs"), OpenAIChat("rank-silent", server_url))
    out, report = reranker.rank_with_report(QUESTION["zh"], hits_of(PASSAGES["zh"]))
    assert ids(out) == [0, 1, 2, 3]
    assert (report.fallback, report.unstructured, report.repeats, report.calls) == (12, 12, 12, 24)


def test_a_depth_below_one_is_refused() -> None:
    with pytest.raises(InputError, match="depth is 0"):
        PairwiseRanking(depth=0)
