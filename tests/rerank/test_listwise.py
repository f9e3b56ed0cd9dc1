"""Order by windows, as a model says."""

import math
import random
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.rerank.test_ranking_replies import replies
from tests.rerank.word_judge import FunctionLLM, StructuredWordJudge, WordJudge, hits_of, ids

from secondpass.errors import InputError
from secondpass.llm.openai import OpenAIChat
from secondpass.llm.replay import RecordingLLM, ReplayLLM
from secondpass.rerank.listwise import ListwiseRanking, windows
from secondpass.rerank.llm_reranker import LLMReranker, PromptLimits
from secondpass.rerank.ranking_calls import CallOptions
from secondpass.rerank.ranking_names import KINDS, open_llm_ranker

QUESTION = {"zh": "西安交通大学由哪三所学校合并？", "en": "Which schools merged into Jiaotong University?"}
PASSAGES = {
    "zh": ["今天天气很好。", "西安的城墙。", "西安交通大学由三所学校合并而成。", "交通大学在上海。"],
    "en": [
        "Nice weather.",
        "The University wall.",
        "Three schools merged into Jiaotong University.",
        "Jiaotong trains.",
    ],
}


@given(count=st.integers(1, 400), window=st.integers(2, 40), data=st.data())
def test_every_passage_is_seen_and_the_calls_are_as_many_as_the_formula_says(count, window, data) -> None:
    step = data.draw(st.integers(1, window - 1))
    plan = windows(count, window, step)
    assert set().union(*(range(start, end) for start, end in plan)) == set(range(count))
    assert len(plan) == (1 if count <= window else 1 + math.ceil((count - window) / step))
    assert plan[0][1] == count
    assert plan[-1][0] == 0
    assert all(1 <= end - start <= window for start, end in plan)
    assert all(end - start > 1 for start, end in plan) or count == 1
    assert all(later[1] > earlier[0] for earlier, later in pairwise(plan))


@pytest.mark.parametrize("count", [2, 5, 19, 20, 21, 25, 30, 31, 45, 100])
def test_the_default_windows_bring_the_best_passage_to_the_front_from_anywhere(count: int) -> None:
    for place in {0, 4, count // 2, count - 1}:
        texts = [f"无关的段落 number {number}" for number in range(count)]
        texts[min(place, count - 1)] = "西安交通大学由三所学校合并而成。"
        judge = WordJudge()
        out, report = LLMReranker(ListwiseRanking(), judge).rank_with_report(QUESTION["zh"], hits_of(texts))
        assert out[0].chunk.text == "西安交通大学由三所学校合并而成。"
        calls = 1 if count <= 20 else 1 + math.ceil((count - 20) / 10)
        assert (report.questions, report.calls, report.clean, len(judge.asked)) == (calls, calls, calls, calls)


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("judge", [WordJudge(), StructuredWordJudge()])
@pytest.mark.parametrize("form", ["turns", "single"])
@pytest.mark.parametrize("reply_as", ["auto", "json", "text"])
def test_every_form_orders_by_what_the_model_says(language, judge, form, reply_as) -> None:
    reranker = LLMReranker(ListwiseRanking(form=form, reply_as=reply_as), judge)
    out, report = reranker.rank_with_report(QUESTION[language], hits_of(PASSAGES[language]))
    assert out[0].chunk.id == "2"
    assert out[-1].chunk.id == "0"
    assert [hit.score for hit in out] == [4, 3, 2, 1]
    assert {hit.scale for hit in out} == {"rank_only"}
    expected = int(reply_as == "json" and type(judge) is WordJudge)
    assert report.unstructured == expected
    prompt = judge.asked[-1][-1].content
    assert ("段落" in prompt) == (language == "zh")
    assert ("JSON" in prompt) == (reply_as == "json" or (reply_as == "auto" and type(judge) is StructuredWordJudge))


def test_the_model_is_asked_in_the_published_windows_from_the_back() -> None:
    judge = WordJudge()
    texts = [f"passage number {number}" for number in range(25)]
    LLMReranker(ListwiseRanking(reply_as="text"), judge).rerank("zzz", hits_of(texts))
    shown = [[m.content for m in asked if m.content.startswith("[")] for asked in judge.asked]
    assert [len(lines) for lines in shown] == [20, 15]
    assert shown[0][0] == "[1] passage number 5"
    assert shown[1][0] == "[1] passage number 0"


@settings(max_examples=60, deadline=None)
@pytest.mark.parametrize("kind", KINDS)
@given(said=st.lists(replies, min_size=1, max_size=4), count=st.integers(0, 25), seed=st.integers(0, 9))
def test_hostile_replies_end_in_a_permutation_and_are_counted(
    kind: str, said: list[str], count: int, seed: int
) -> None:
    source = random.Random(seed)
    llm = FunctionLLM(lambda _: source.choice(said))
    hits = hits_of([f"段落 {number}" for number in range(count)])
    out, report = open_llm_ranker(kind, llm, CallOptions(max_calls=30)).rank_with_report("茶", hits)
    assert sorted(ids(out)) == list(range(count))
    assert report.questions == report.clean + report.repaired + report.fallback + report.failed + report.skipped
    assert report.calls == len(llm.asked) == report.questions - report.cache_hits - report.skipped + report.repeats


def test_nothing_usable_is_asked_for_once_more_and_then_keeps_the_given_order(caplog) -> None:
    llm = FunctionLLM(lambda messages: "抱歉，我不能。")
    out, report = LLMReranker(ListwiseRanking(), llm).rank_with_report("茶", hits_of(["一", "二", "三"]))
    assert ids(out) == [0, 1, 2]
    assert (report.fallback, report.repeats, report.calls) == (1, 1, 2)
    assert [message.role for message in llm.asked[1][-2:]] == ["assistant", "user"]
    assert "无法从中读出排序" in llm.asked[1][-1].content
    LLMReranker(ListwiseRanking(), llm).rerank("茶", hits_of(["一", "二", "三"]))
    assert "listwise:function: of 1 questions to the model: 1 without anything usable" in caplog.text
    assert len(caplog.records) == 1


def test_a_reminder_can_mend_a_reply() -> None:
    llm = FunctionLLM(lambda messages: "[2] > [1]" if "cannot be read" in messages[-1].content else "Sure!")
    out, report = LLMReranker(ListwiseRanking(), llm).rank_with_report("tea", hits_of(["one", "two"]))
    assert ids(out) == [1, 0]
    assert (report.clean, report.fallback, report.repeats, report.calls) == (1, 0, 1, 2)


@pytest.mark.parametrize("texts", [[], ["茶"], ["茶", "茶"], ["", "茶", " "], [""]])
def test_fewer_than_two_different_passages_are_not_asked_about(texts: list[str]) -> None:
    judge = WordJudge()
    out = LLMReranker(ListwiseRanking(), judge).rerank("茶", hits_of(texts))
    assert len(out) == len(texts)
    assert judge.asked == []


@pytest.mark.parametrize("query", ["", "  ", "\x1e", "\u200b"])
def test_a_question_without_text_is_not_asked(query: str) -> None:
    judge = WordJudge()
    out = LLMReranker(ListwiseRanking(), judge).rerank(query, hits_of(["一", "二"]))
    assert ids(out) == [0, 1]
    assert judge.asked == []


def test_duplicates_are_shown_once_and_stand_together_and_empty_passages_come_last() -> None:
    judge = WordJudge()
    texts = ["城墙", "", "西安交通大学", "城墙", "西安交通大学"]
    out, report = LLMReranker(ListwiseRanking(), judge).rank_with_report(QUESTION["zh"], hits_of(texts))
    assert ids(out) == [2, 4, 0, 3, 1]
    assert [hit.score for hit in out] == [2, 2, 1, 1, 0]
    assert (report.duplicates, report.empty) == (2, 1)
    assert sum(message.content.startswith("[") for message in judge.asked[0]) == 2


@pytest.mark.parametrize("text", ["西安交通大学在西安。" * 600, "The university is in Xi'an. " * 300])
def test_long_passages_are_cut_to_the_prompts_room_and_flagged(text: str) -> None:
    judge = WordJudge()
    texts = [f"{number} {text}" for number in range(20)]
    limits = PromptLimits(max_prompt_tokens=4000)
    out, report = LLMReranker(ListwiseRanking(), judge, limits=limits).rank_with_report(
        "西安 university", hits_of(texts)
    )
    assert report.truncated == 20
    assert all(hit.truncated for hit in out)
    shown = [message.content for message in judge.asked[0] if message.content.startswith("[")]
    assert len(shown) == 20
    assert min(map(len, shown)) > 100
    assert report.prompt_tokens <= 4000


@pytest.mark.parametrize("query", ["西安交通大学在哪里？" * 500, "Where is the university? " * 500])
def test_a_question_longer_than_a_quarter_of_the_prompt_is_cut_and_said(query: str, caplog) -> None:
    judge = WordJudge()
    reranker = LLMReranker(ListwiseRanking(), judge, limits=PromptLimits(max_prompt_tokens=2000))
    _, report = reranker.rank_with_report(query, hits_of(["西安 university", "北京"]))
    assert report.query_truncated
    assert report.prompt_tokens <= 2000
    reranker.rerank(query, hits_of(["西安 university", "北京"]))
    assert "the query was cut to a quarter of max_prompt_tokens" in caplog.text


def test_a_prompt_without_room_for_the_passages_is_refused() -> None:
    reranker = LLMReranker(ListwiseRanking(), WordJudge(), limits=PromptLimits(max_prompt_tokens=600))
    with pytest.raises(InputError, match=r"has no room for 20 passages .* raise max_prompt_tokens"):
        reranker.rerank("茶", hits_of([f"茶 {number}" for number in range(30)]))


def test_a_budget_of_calls_is_spent_on_the_front_of_the_list() -> None:
    judge = WordJudge()
    texts = [f"无关 {number}" for number in range(99)] + ["西安交通大学"]
    texts[15] = "西安交通大学由三所学校合并"
    reranker = LLMReranker(ListwiseRanking(), judge, CallOptions(max_calls=2))
    out, report = reranker.rank_with_report(QUESTION["zh"], hits_of(texts))
    assert ids(out)[0] == 15
    assert ids(out)[30:] == list(range(30, 100))
    assert (report.questions, report.calls, report.skipped) == (9, 2, 7)
    assert "7 not asked because max_calls was reached" in report.troubles


@pytest.mark.parametrize(("window", "step"), [(20, 20), (20, 0), (1, 1)])
def test_windows_that_would_miss_passages_are_refused(window: int, step: int) -> None:
    with pytest.raises(InputError, match="misses passages"):
        ListwiseRanking(window, step)


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("model", ["rank", "rank-plain", "rank-ignores", "rank-think"])
def test_a_real_server_is_ranked_through(server_url: str, model: str, language: str) -> None:
    reranker = LLMReranker(ListwiseRanking(3, 2), OpenAIChat(model, server_url))
    out, report = reranker.rank_with_report(QUESTION[language], hits_of(PASSAGES[language]))
    assert out[0].chunk.id == "2"
    assert out[0].stages[-1].stage == f"listwise:{model}"
    assert (report.calls, report.clean, report.fallback, report.failed) == (2, 2, 0, 0)
    assert report.unstructured == (0 if model in ("rank", "rank-think") else 2)
    assert report.prompt_tokens > 100
    assert not report.tokens_estimated
    assert report.troubles == ""


def test_a_server_that_answers_without_text_ends_in_the_given_order(server_url: str) -> None:
    reranker = LLMReranker(ListwiseRanking(), OpenAIChat("rank-silent", server_url))
    out, report = reranker.rank_with_report(QUESTION["zh"], hits_of(PASSAGES["zh"]))
    assert ids(out) == [0, 1, 2, 3]
    assert (report.fallback, report.calls) == (1, 2)


def test_a_server_that_clips_prompts_is_noticed(server_url: str) -> None:
    reranker = LLMReranker(ListwiseRanking(), OpenAIChat("rank-clips", server_url))
    _, report = reranker.rank_with_report(QUESTION["zh"], hits_of(PASSAGES["zh"]))
    assert report.clipped_prompts == 1
    assert "lower max_prompt_tokens" in report.troubles


def test_what_a_server_said_is_recorded_and_replayed(server_url: str, tmp_path: Path) -> None:
    path = tmp_path / "ranking.jsonl"
    hits = hits_of(PASSAGES["zh"])
    recording = RecordingLLM(OpenAIChat("rank", server_url), path)
    first, first_report = LLMReranker(ListwiseRanking(3, 2), recording).rank_with_report(QUESTION["zh"], hits)
    again, report = LLMReranker(ListwiseRanking(3, 2), ReplayLLM(path)).rank_with_report(QUESTION["zh"], hits)
    assert ids(again) == ids(first)
    assert [hit.score for hit in again] == [hit.score for hit in first]
    assert (report.calls, report.prompt_tokens) == (first_report.calls, first_report.prompt_tokens)
    assert report.unstructured == 0
