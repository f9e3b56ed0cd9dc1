import logging
import math
from dataclasses import replace

import pytest
from tests.rerank.scorers import CharacterScorer

from secondpass.rerank.pairs import PairReranker, ReadingCounts
from secondpass.rerank.score_cache import ScoreCache
from secondpass.types import Chunk, Hit, Span, StageScore


def hits_of(*texts: str) -> list[Hit]:
    return [
        Hit(Chunk(str(i), text), 1.0, "bm25", (StageScore("bm25", i + 1, 1.0, "bm25"),)) for i, text in enumerate(texts)
    ]


@pytest.mark.parametrize(("query", "better", "worse"), [("茶的产地", "茶的产地是云南", "天气"), ("tea", "tea", "sun")])
def test_the_better_score_comes_first_with_rank_scale_and_probability(query, better, worse):
    best, last = PairReranker(CharacterScorer()).rerank(query, hits_of(worse, better))
    assert (best.chunk.text, last.chunk.text) == (better, worse)
    assert best.stages[-1] == StageScore("characters", 1, 4.0, "logit")
    assert best.stages[0].stage == "bm25"
    assert (best.score, best.scale) == (4.0, "logit")
    assert best.probability == pytest.approx(1 / (1 + math.exp(-4)))
    assert last.probability == pytest.approx(1 / (1 + math.exp(4)))


def test_a_probability_is_its_own_and_no_probability_is_invented():
    probable = PairReranker(CharacterScorer(scale="probability")).rerank("茶", hits_of("茶"))[0]
    assert probable.probability == probable.score == 1.0
    silent = PairReranker(CharacterScorer(gives_probability=False)).rerank("茶", hits_of("茶"))[0]
    assert silent.probability is None


def test_equal_passages_are_scored_once_and_empty_ones_never():
    scorer = CharacterScorer()
    out = PairReranker(scorer).rerank("茶", hits_of("茶", " ", "茶", "", "水", "茶"))
    assert scorer.asked == [("茶", "茶"), ("茶", "水")]
    assert [hit.chunk.id for hit in out] == ["0", "2", "5", "4", "1", "3"]


@pytest.mark.parametrize("scale", ["logit", "probability"])
def test_passages_without_text_come_after_the_worst_score(scale):
    out = PairReranker(CharacterScorer(scale=scale)).rerank("茶", hits_of("", "水"))
    assert [hit.chunk.id for hit in out] == ["1", "0"]
    assert out[0].score >= out[1].score


def test_a_question_without_text_keeps_the_order_and_claims_nothing():
    scorer = CharacterScorer()
    out = PairReranker(scorer).rerank(" \n", hits_of("水", "茶"), 1)
    assert [(hit.chunk.id, hit.score, hit.scale, hit.probability) for hit in out] == [("0", 0.0, "rank_only", None)]
    assert not scorer.asked


def test_halves_of_surrogates_reach_the_scorer_as_replacement_characters_of_the_same_length():
    scorer = CharacterScorer()
    PairReranker(scorer).rerank("茶\ud83d", hits_of("\ud83d\ude00茶", "😀茶"))
    assert scorer.asked == [("茶\ufffd", "\ufffd\ufffd茶"), ("茶\ufffd", "😀茶")]


def test_the_window_that_won_is_the_evidence_and_truncation_is_said():
    out = PairReranker(CharacterScorer(window=2)).rerank("茶叶", hits_of("茶叶来自中国", "茶"))
    assert [(hit.evidence, hit.truncated) for hit in out] == [(Span(0, 2), True), (None, False)]


@pytest.mark.parametrize(("query", "texts"), [("叶茶", ["绿茶叶", "水"]), ("ea", ["tea", "sun"])])
def test_what_a_scorer_points_at_is_the_evidence_with_its_confidence(tmp_path, query, texts):
    cache = ScoreCache(tmp_path / "scores.sqlite")
    given = [replace(hit, evidence=Span(0, 1), evidence_confidence=0.5) for hit in hits_of(*texts)]
    for _ in range(2):  # computed, then known
        best, last = PairReranker(CharacterScorer(points=True), cache).rerank(query, given)
        assert (best.evidence, best.evidence_confidence) == (Span(1, 2), 1.0)
        assert (last.evidence, last.evidence_confidence) == (Span(0, 1), 0.5)  # of the stage before


def test_a_confidence_is_gone_where_another_stage_names_other_evidence():
    [pointed] = PairReranker(CharacterScorer(points=True)).rerank("叶", hits_of("茶叶来自云南"))
    [windowed] = PairReranker(CharacterScorer(window=2)).rerank("叶", [pointed])
    assert (windowed.evidence, windowed.evidence_confidence) == (Span(0, 2), None)
    [silent] = PairReranker(CharacterScorer()).rerank("叶", [pointed])
    assert (silent.evidence, silent.evidence_confidence) == (Span(1, 2), 1.0)


def test_known_scores_are_not_computed_again_and_are_the_same(tmp_path):
    cold, warm = CharacterScorer(window=2), CharacterScorer(window=2)
    path = tmp_path / "deep" / "scores.sqlite"
    hits = hits_of("茶叶来自中国", "水", "tea")
    first = PairReranker(cold, ScoreCache(path)).rerank("茶叶", hits)
    cache = ScoreCache(path)
    assert PairReranker(warm, cache).rerank("茶叶", hits) == first
    assert len(cold.asked) == 3
    assert not warm.asked
    assert (cache.counts.asked, cache.counts.found) == (3, 3)


def test_a_long_list_is_scored_in_parts_each_of_which_is_kept_and_progress_is_said(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr("secondpass.rerank.pairs._SECONDS_BETWEEN_NOTES", -1.0)
    caplog.set_level(logging.INFO, "secondpass.rerank")

    class FailsAfterTen(CharacterScorer):
        def score(self, query, passages):
            if len(self.asked) + len(passages) > 10:
                raise KeyboardInterrupt
            return super().score(query, passages)

    texts = [f"第{number}段茶叶" for number in range(25)]
    path = tmp_path / "scores.sqlite"
    with pytest.raises(KeyboardInterrupt):
        PairReranker(FailsAfterTen(), ScoreCache(path), 5).score_texts("茶", texts)
    assert caplog.messages[-1].startswith("characters: 10 of 25 passages read, about ")
    rest = CharacterScorer()
    resumed = PairReranker(rest, ScoreCache(path), 5)
    assert resumed.score_texts("茶", texts) == PairReranker(CharacterScorer()).score_texts("茶", texts)
    assert [text for _, text in rest.asked] == texts[10:]
    assert resumed.counts == ReadingCounts(25, 10, 0, 0)


def test_another_model_another_query_and_another_passage_are_not_the_same_score(tmp_path):
    cache = ScoreCache(tmp_path / "scores.sqlite")
    PairReranker(CharacterScorer(), cache).rerank("茶", hits_of("水"))
    for scorer, query, text in [
        (CharacterScorer(fingerprint="characters-2"), "茶", "水"),
        (CharacterScorer(), "茶水", "水"),
        (CharacterScorer(), "茶", "水水"),
        (CharacterScorer(), "茶水", ""),
    ]:
        PairReranker(scorer, cache).rerank(query, hits_of(text))
        assert len(scorer.asked) == bool(text)
