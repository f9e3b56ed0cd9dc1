"""The best of a small set."""

import pytest
from tests.rerank.test_listwise import PASSAGES, QUESTION
from tests.rerank.word_judge import FunctionLLM, WordJudge, hits_of, ids

from secondpass.errors import InputError
from secondpass.llm.openai import OpenAIChat
from secondpass.rerank.llm_reranker import LLMReranker
from secondpass.rerank.ranking_calls import CallOptions
from secondpass.rerank.setwise import SetwiseRanking

SORTS = ["heapsort", "bubblesort"]


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("num_child", [1, 2, 3, 22])
def test_the_best_of_a_set_comes_first(sort, num_child: int, language: str) -> None:
    reranker = LLMReranker(SetwiseRanking(sort, num_child), WordJudge())
    out = reranker.rerank(QUESTION[language], hits_of(PASSAGES[language]))
    assert out[0].chunk.id == "2"
    assert out[-1].chunk.id == "0"


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("answer", ["I cannot say.", "都不相关", "Passage W", ""])
def test_an_unreadable_answer_stands_for_the_first_passage_and_is_counted(sort, answer: str) -> None:
    llm = FunctionLLM(lambda _: answer)
    out, report = LLMReranker(SetwiseRanking(sort), llm).rank_with_report("茶", hits_of(list("一二三四")))
    assert out[0].chunk.id == "0"
    assert report.fallback == report.questions > 0
    assert report.calls == 2 * report.questions


@pytest.mark.parametrize("sort", SORTS)
def test_four_passages_a_question_are_shown_by_default(sort) -> None:
    judge = WordJudge()
    LLMReranker(SetwiseRanking(sort), judge).rerank("tea", hits_of([f"tea {number}" for number in range(30)]))
    assert max(asked[-1].content.count("\nPassage ") for asked in judge.asked) == 4


def test_a_budget_stops_the_heap_where_it_is_sure() -> None:
    texts = [f"{'西安交通大学由三所学校合并'[: number % 9]} {number}" for number in range(40)]
    whole = LLMReranker(SetwiseRanking(), WordJudge()).rerank(QUESTION["zh"], hits_of(texts))
    full, top = 0, []
    for max_calls in range(5, 60, 5):
        reranker = LLMReranker(SetwiseRanking(), WordJudge(), CallOptions(max_calls=max_calls))
        out, report = reranker.rank_with_report(QUESTION["zh"], hits_of(texts))
        assert report.calls <= max_calls
        right = [one == other for one, other in zip(ids(out), ids(whole), strict=True)]
        top.append(right.index(False) if False in right else 40)
        full += not report.skipped
    assert top == sorted(top)
    assert full
    assert top[-1] == 40


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("model", ["rank", "rank-plain", "rank-ignores", "rank-think"])
@pytest.mark.parametrize(("num_child", "reply_as"), [(2, "auto"), (3, "auto"), (3, "text")])
def test_a_real_server_is_asked_for_labels_by_a_schema_and_where_it_has_none_for_text(
    server_url: str, sort, language: str, model: str, num_child: int, reply_as
) -> None:
    reranker = LLMReranker(SetwiseRanking(sort, num_child, reply_as=reply_as), OpenAIChat(model, server_url))
    out, report = reranker.rank_with_report(QUESTION[language], hits_of(PASSAGES[language]))
    assert out[0].chunk.id == "2"
    assert (report.clean, report.fallback, report.failed) == (report.questions, 0, 0)
    in_text = reply_as == "auto" and model in ("rank-plain", "rank-ignores")
    assert report.unstructured == (report.questions if in_text else 0)
    assert report.calls == report.questions - report.cache_hits
    assert report.troubles == ""


@pytest.mark.parametrize("num_child", [0, 23])
def test_more_children_than_labels_are_refused(num_child: int) -> None:
    with pytest.raises(InputError, match=f"num_child is {num_child}"):
        SetwiseRanking(num_child=num_child)
