import logging
import time

import pytest
from tests.rerank.scorers import CharacterScorer

from secondpass.errors import InputError
from secondpass.rerank.budget import BudgetReport, BudgetReranker
from secondpass.rerank.cascade import CascadeReranker, Stage
from secondpass.rerank.in_time import StageReading, rerank_in_time
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
    alone = PairReranker(CharacterScorer()).rerank(QUERY, HITS)
    assert [(hit.chunk.id, hit.score, hit.scale) for hit in hits] == [(h.chunk.id, h.score, h.scale) for h in alone]
    assert report.read == report.candidates == 31
    assert report.cheap == (StageReading("lexical", 32, 32),)


def test_ties_of_the_strong_model_keep_the_given_order_whatever_the_cheap_one_prefers():
    hits = [
        Hit(Chunk("a", "学校的历史"), 0.0, "bm25"),
        Hit(Chunk("b", "学校的历史", title="西安交大合并"), 0.0, "bm25"),
    ]
    assert [hit.chunk.id for hit in LexicalReranker().rerank(QUERY, hits)] == ["b", "a"]
    reranker = BudgetReranker(LexicalReranker(), PairReranker(CharacterScorer()), 30.0)
    assert [hit.chunk.id for hit in reranker.rerank(QUERY, hits)] == ["a", "b"]


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
    assert [(hit.chunk.id, hit.scale) for hit in reranker.rerank("\n", HITS)] == [
        (hit.chunk.id, "rank_only") for hit in HITS
    ]
    assert not scorer.asked


LONG = [Hit(Chunk(str(i), f"第{i}段。" + "学校的历史与西安的关系。" * 40), float(-i), "bm25") for i in range(3000)]
EMPTY = Hit(Chunk("empty", ""), 0.0, "bm25")


@pytest.mark.parametrize("milliseconds", [20, 100])
def test_a_list_too_long_for_the_cheap_stage_is_read_from_its_head_and_the_rest_keeps_the_given_order(
    milliseconds, caplog
):
    reports: list[BudgetReport] = []
    strong = PairReranker(CharacterScorer(seconds_per_character=0.01))  # five seconds a passage: none fits
    reranker = BudgetReranker(LexicalReranker(), strong, milliseconds / 1000, reports.append)
    hits = [EMPTY, *LONG]
    caplog.set_level(logging.INFO)
    start = time.perf_counter()
    out = reranker.rerank(QUERY, hits)
    seconds = time.perf_counter() - start
    (cheap,) = reports[0].cheap
    assert (cheap.name, cheap.given) == ("lexical", 3001)
    assert 2 <= cheap.read < 3001
    start = time.perf_counter()
    read = LexicalReranker().rerank(QUERY, hits[: cheap.read])
    assert seconds < milliseconds / 1000 + 0.1 + (time.perf_counter() - start)  # the whole list takes a second
    assert out == [
        *(hit for hit in read if hit.chunk.text),
        *hits[cheap.read :],
        *(h for h in read if not h.chunk.text),
    ]
    assert f"lexical had time for {cheap.read} of 3001: the rest as it was given" in caplog.text


def test_read_in_parts_or_at_once_the_cheap_order_is_the_same_to_the_last_bit():
    hits = [EMPTY, *LONG[:200], *HITS]
    order, reading = rerank_in_time(LexicalReranker(), QUERY, hits, time.perf_counter() + 60)
    assert order == LexicalReranker().rerank(QUERY, hits)
    assert reading == StageReading("lexical", len(hits), len(hits))


def test_a_cheap_stage_that_is_a_model_keeps_its_part_of_the_time_too():
    reports: list[BudgetReport] = []
    slow = PairReranker(CharacterScorer(seconds_per_character=0.0005, name="slow"))
    strong = PairReranker(CharacterScorer(seconds_per_character=0.0005))
    cheap = CascadeReranker([Stage(LexicalReranker(), 30), Stage(slow, 20)])
    out = BudgetReranker(cheap, strong, 0.3, reports.append).rerank(QUERY, [EMPTY, *HITS])
    first, second = reports[0].cheap
    assert first == StageReading("lexical", 33, 33)
    assert (second.name, second.given) == ("slow", 30)
    assert 1 <= second.read < 30
    assert 1 <= reports[0].read < 20
    assert len(out) == 20
    names = [hit.stages[-1].stage for hit in out]
    assert names[: reports[0].read] == ["characters"] * reports[0].read
    assert set(names[reports[0].read :]) <= {"slow", "lexical"}


def test_a_model_that_was_slow_for_a_moment_is_tried_again():
    scorer = CharacterScorer(seconds_per_character=0.0001)
    strong = PairReranker(scorer)
    reranker = BudgetReranker(LexicalReranker(), strong, 0.03)
    for _ in range(10):
        strong.pace.learn(100, 10.0)
    before = strong.pace.seconds(20)
    assert before > 0.03
    scorer.asked.clear()
    reranker.rerank(QUERY, HITS)
    assert not scorer.asked
    assert strong.pace.seconds(20) < before
    for _ in range(1500):
        strong.pace.doubt()
    reranker.rerank(QUERY, HITS)
    assert scorer.asked


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
