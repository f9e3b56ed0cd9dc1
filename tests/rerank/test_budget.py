import time

import pytest
from tests.rerank.scorers import CharacterScorer

from secondpass.errors import InputError
from secondpass.rerank.budget import BudgetReport, BudgetReranker
from secondpass.rerank.lexical import LexicalReranker
from secondpass.rerank.pairs import PairReranker
from secondpass.rerank.score_cache import ScoreCache
from secondpass.types import Chunk, Hit

QUERY = "西安交大由哪几个学校合并的"
TEXTS = [f"第{i}段：学校的历史与西安的关系" for i in range(30)] + ["", "由哪几个合并"]
HITS = [Hit(Chunk(str(i), text), float(-i), "bm25") for i, text in enumerate(TEXTS)]


def reranked(seconds: float, seconds_per_character: float) -> tuple[list[Hit], BudgetReport, float]:
    reports: list[BudgetReport] = []
    strong = PairReranker(CharacterScorer(seconds_per_character=seconds_per_character))
    reranker = BudgetReranker(LexicalReranker(), strong, seconds, reports.append)
    start = time.perf_counter()
    hits = reranker.rerank(QUERY, HITS)
    return hits, reports[0], time.perf_counter() - start


def test_enough_time_gives_the_order_of_the_strong_model_alone():
    hits, report, _ = reranked(30.0, 0.00001)
    alone = PairReranker(CharacterScorer()).rerank(QUERY, LexicalReranker().rerank(QUERY, HITS))
    assert [hit.chunk.id for hit in hits] == [hit.chunk.id for hit in alone]
    assert report.read == report.candidates == 31


def test_no_time_gives_the_cheap_order():
    hits, report, _ = reranked(0.005, 0.0005)
    assert hits == LexicalReranker().rerank(QUERY, HITS)
    assert report.read == 0


def test_some_time_puts_what_was_read_first_and_keeps_the_cheap_order_behind_it():
    hits, report, _ = reranked(0.12, 0.0005)
    cheap = LexicalReranker().rerank(QUERY, HITS)
    assert 1 <= report.read < 31
    read = [hit for hit in hits if hit.scale == "logit"]
    rest = [hit for hit in hits if hit.scale != "logit"]
    assert hits == read + rest
    assert {hit.chunk.id for hit in read} == {hit.chunk.id for hit in cheap[: len(read)]}
    assert rest == cheap[len(read) :]
    assert [hit.score for hit in read] == sorted((hit.score for hit in read), reverse=True)


def test_a_blank_question_and_no_hits_need_no_model():
    scorer = CharacterScorer()
    reranker = BudgetReranker(LexicalReranker(), PairReranker(scorer), 1.0)
    scorer.asked.clear()
    assert reranker.rerank(QUERY, []) == []
    assert [hit.chunk.id for hit in reranker.rerank(" ", HITS, 2)] == ["0", "1"]
    assert not scorer.asked


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan")])
def test_a_budget_of_nothing_is_refused(seconds):
    with pytest.raises(InputError, match="above 0"):
        BudgetReranker(LexicalReranker(), PairReranker(CharacterScorer()), seconds)


def test_the_pace_of_a_model_is_measured_once_however_many_budgets_it_gets():
    scorer = CharacterScorer()
    strong = PairReranker(scorer)
    BudgetReranker(LexicalReranker(), strong, 1.0)
    measured = len(scorer.asked)
    assert measured
    BudgetReranker(LexicalReranker(), strong, 2.0)
    assert len(scorer.asked) == measured


def test_scores_that_were_known_teach_no_pace(tmp_path):
    cache = ScoreCache(tmp_path / "scores.sqlite")
    PairReranker(CharacterScorer(), cache).rerank(QUERY, HITS)
    strong = PairReranker(CharacterScorer(seconds_per_character=0.0005), cache)
    reranker = BudgetReranker(LexicalReranker(), strong, 5.0)
    before = strong.pace.seconds(1000)
    reranker.rerank(QUERY, HITS)
    assert strong.pace.seconds(1000) == before
