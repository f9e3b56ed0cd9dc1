"""What every reranker promises, kept by chat models in every way of asking; the model here counts shared words."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TypeVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.contracts.test_rerankers import PASSAGES, QUESTIONS, hits_of, queries, texts
from tests.rerank.word_judge import StructuredWordJudge, WordJudge

from secondpass.errors import InputError
from secondpass.rerank.cascade import CascadeReranker, Stage
from secondpass.rerank.lexical import LexicalReranker
from secondpass.rerank.llm_reranker import LLMReranker
from secondpass.rerank.ranking_names import KINDS, open_llm_ranker
from secondpass.rerank.ranking_report import RankingReport
from secondpass.types import Hit, Reranker, StageScore

T = TypeVar("T")
THREADS = 64
RANKERS: dict[str, Reranker] = {
    **{kind: open_llm_ranker(kind, StructuredWordJudge()) for kind in KINDS},
    "listwise, plain model": open_llm_ranker("listwise", WordJudge()),
    "pointwise, plain model": open_llm_ranker("pointwise", WordJudge()),
    "cascade": CascadeReranker([Stage(LexicalReranker()), Stage(open_llm_ranker("setwise", WordJudge()))]),
}
SHUFFLED = open_llm_ranker("listwise", WordJudge(), runs=3)


@pytest.fixture(params=RANKERS.values(), ids=RANKERS)
def ranker(request) -> Reranker:
    return request.param


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_passage_that_answers_comes_first_wherever_it_stood(ranker, language):
    for shift in range(5):
        passages = PASSAGES[language][shift:] + PASSAGES[language][:shift]
        assert ranker.rerank(QUESTIONS[language], hits_of(passages))[0].chunk.text == PASSAGES[language][0]


@settings(deadline=None, max_examples=15)
@pytest.mark.parametrize("name", [*RANKERS, "shuffled"])
@given(query=queries, passages=texts, top_n=st.none() | st.integers(1, 15))
def test_hits_are_ordered_and_cut_and_never_added_to(name, query, passages, top_n):
    ranker = RANKERS.get(name, SHUFFLED)
    hits = hits_of(passages)
    whole = ranker.rerank(query, hits)
    assert sorted(hit.chunk.id for hit in whole) == sorted(hit.chunk.id for hit in hits)
    scores = [hit.score for hit in whole]
    assert np.isfinite(scores).all()
    assert scores == sorted(scores, reverse=True)
    cut = [hit.chunk.id for hit in ranker.rerank(query, hits, top_n)]
    assert cut == [hit.chunk.id for hit in whole][:top_n]
    assert hits == hits_of(passages)


@pytest.mark.parametrize("query", ["", "   ", "？！", "😀", "的", "茶", "the", "\x1e", "\ud800", *QUESTIONS.values()])
def test_ties_keep_the_retrieved_order(ranker, query):
    same = hits_of(["西安很大。 Xi'an is large."] * 7)
    different = hits_of([f"{number} 0" for number in "abcdefghijklm"])
    for hits in (same, different):
        assert [hit.chunk.id for hit in ranker.rerank(query, hits)] == [hit.chunk.id for hit in hits]


@pytest.mark.parametrize("language", ["zh", "en"])
def test_no_hits_give_no_hits_and_passages_without_text_come_last(ranker, language):
    assert ranker.rerank(QUESTIONS[language], []) == []
    out = ranker.rerank(QUESTIONS[language], hits_of(["", " \n ", PASSAGES[language][1], PASSAGES[language][0]]))
    assert [hit.chunk.id for hit in out] == ["3", "2", "0", "1"]
    with pytest.raises(InputError, match="top_n"):
        ranker.rerank("茶", hits_of(["茶"]), 0)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_duplicates_get_equal_scores(ranker, language):
    scores = {h.chunk.id: h.score for h in ranker.rerank(QUESTIONS[language], hits_of(PASSAGES[language] * 2))}
    count = len(PASSAGES[language])
    assert all(scores[str(i)] == scores[str(i + count)] for i in range(count))


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_stage_and_its_scale_are_recorded(ranker, language):
    for rank, hit in enumerate(ranker.rerank(QUESTIONS[language], hits_of(PASSAGES[language])), start=1):
        assert hit.stages[0].stage == "bm25"
        name = ranker.name if ">" not in ranker.name else "setwise:judge"
        assert hit.stages[-1] == StageScore(name, rank, hit.score, hit.scale)
        assert hit.scale in ("rank_only", "log_odds")
        assert hit.probability is None


@pytest.mark.parametrize("language", ["zh", "en"])
def test_sixty_four_threads_get_what_one_gets(ranker, language):
    hits = hits_of([f"{number} {text}" for number in range(2) for text in PASSAGES[language]])
    alone = ranker.rerank(QUESTIONS[language], hits)
    for result in at_once(lambda _: ranker.rerank(QUESTIONS[language], hits)):
        assert result == alone


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("make_judge", [WordJudge, StructuredWordJudge])
def test_sixty_four_threads_with_different_passages_count_each_their_own(kind, make_judge, language):
    hits = [hits_of([f"{number} {text}" for text in PASSAGES[language]]) for number in range(THREADS)]
    alone_judge, judge = make_judge(), make_judge()
    alone = [rank(open_llm_ranker(kind, alone_judge), language, own) for own in hits]
    shared = open_llm_ranker(kind, judge)
    together = at_once(lambda number: rank(shared, language, hits[number]))
    assert together == alone
    assert sum(report.calls for _, report in together) == len(judge.asked) == len(alone_judge.asked)
    assert sorted(map(str, judge.asked)) == sorted(map(str, alone_judge.asked))


@pytest.mark.parametrize("kind", KINDS)
def test_sixty_four_threads_with_the_same_passages_miscount_nothing(kind):
    judge = StructuredWordJudge()
    shared, hits = open_llm_ranker(kind, judge), hits_of(PASSAGES["zh"])
    order, alone = rank(open_llm_ranker(kind, StructuredWordJudge()), "zh", hits)
    together = at_once(lambda _: rank(shared, "zh", hits))
    assert all(found == order for found, _ in together)
    for _, report in together:
        assert (report.questions, report.clean) == (alone.questions, alone.questions)
        assert report.calls == report.questions - report.cache_hits
    assert sum(report.calls for _, report in together) == len(judge.asked)


def rank(ranker: LLMReranker, language: str, hits: Sequence[Hit]) -> tuple[list[Hit], RankingReport]:
    out, report = ranker.rank_with_report(QUESTIONS[language], hits)
    return out, replace(report, seconds=0.0)


def at_once(work: Callable[[int], T]) -> list[T]:
    """Do ``work`` in as many threads as `THREADS`, which begin together."""
    ready = threading.Barrier(THREADS)

    def begin(number: int) -> T:
        ready.wait()
        return work(number)

    with ThreadPoolExecutor(THREADS) as threads:
        return list(threads.map(begin, range(THREADS)))
