"""Two by two: sums of won comparisons, published numbers of calls, and what was not compared stays behind."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from secondpass.errors import InputError
from secondpass.models.comparison import Comparisons
from secondpass.rerank.duo import DuoReranker
from secondpass.rerank.score_cache import ScoreCache
from secondpass.types import Chunk, Hit

TEXTS = ["长江全长六千三百公里。", "The museum is closed.", "北京是首都。", "It rained all day.", "贝尔发明了电话。"]


class LengthComparator:
    """Prefers the longer passage, and a little whichever stands first; counts its calls."""

    name = "length"

    def __init__(self) -> None:
        self.calls = 0

    def compare(self, query, pairs):
        self.calls += len(pairs)
        lead = np.array([len(first) - len(second) + 0.5 for first, second in pairs], dtype=np.float32)
        cut = np.array([[len(first) > 20, len(second) > 20] for first, second in pairs]).reshape(-1, 2)
        return Comparisons((1 / (1 + np.exp(-lead / 4))).astype(np.float32), cut)


def hits_of(texts):
    return [Hit(Chunk(str(index), text), 0.0, "bm25") for index, text in enumerate(texts)]


@pytest.mark.parametrize(("aggregation", "calls"), [("both_orders", 20), ("one_order", 10)])
def test_scores_are_the_sums_of_won_comparisons_and_calls_are_as_published(aggregation, calls):
    comparator = LengthComparator()
    reranker = DuoReranker(comparator, aggregation)
    ranked = reranker.rerank("谁", hits_of(TEXTS))
    assert comparator.calls == reranker.call_count(5) == calls
    assert [hit.chunk.text for hit in ranked] == sorted(TEXTS, key=len, reverse=True)
    probability = {
        (one, other): float(LengthComparator().compare("谁", [(one, other)]).probabilities[0])
        for one in TEXTS
        for other in TEXTS
        if one != other
    }
    for hit in ranked:
        text = hit.chunk.text
        if aggregation == "both_orders":
            expected = sum(probability[text, other] + 1 - probability[other, text] for other in TEXTS if other != text)
        else:
            place = TEXTS.index(text)
            expected = sum(probability[text, other] for other in TEXTS[place + 1 :])
            expected += sum(1 - probability[other, text] for other in TEXTS[:place])
        assert hit.score == pytest.approx(expected, abs=1e-5)
        assert hit.scale == "rank_only"
        assert hit.truncated == (len(text) > 20)


def test_the_order_of_what_is_given_does_not_matter_when_both_orders_are_read():
    forward = DuoReranker(LengthComparator()).rerank("谁", hits_of(TEXTS))
    backward = DuoReranker(LengthComparator()).rerank("谁", hits_of(TEXTS[::-1]))
    assert [hit.chunk.text for hit in forward] == [hit.chunk.text for hit in backward]


def test_beyond_the_depth_the_given_order_stays_below():
    comparator = LengthComparator()
    ranked = DuoReranker(comparator, depth=2).rerank("谁", hits_of(TEXTS))
    assert comparator.calls == 2
    assert [hit.chunk.text for hit in ranked] == [TEXTS[1], TEXTS[0], *TEXTS[2:]]
    assert [hit.score for hit in ranked[2:]] == [-1.0, -2.0, -3.0]


@given(texts=st.lists(st.sampled_from([*TEXTS, "", "  "]), max_size=8), depth=st.integers(1, 9))
def test_the_result_is_a_permutation_with_falling_scores_and_equal_passages_are_compared_once(texts, depth):
    comparator = LengthComparator()
    hits = hits_of(texts)
    ranked = DuoReranker(comparator, depth=depth).rerank("谁", hits)
    assert sorted(hit.chunk.id for hit in ranked) == sorted(hit.chunk.id for hit in hits)
    assert [hit.score for hit in ranked] == sorted((hit.score for hit in ranked), reverse=True)
    different = len({text for text in texts[:depth] if text.strip()})
    assert comparator.calls == different * (different - 1)
    filled = [bool(hit.chunk.text.strip()) for hit in ranked[: min(depth, len(texts))]]
    assert filled == sorted(filled, reverse=True)


def test_halves_of_surrogate_pairs_are_compared_as_what_stands_for_them():
    class StrictComparator(LengthComparator):
        def compare(self, query, pairs):
            for text in (query, *(text for pair in pairs for text in pair)):
                text.encode()
            return super().compare(query, pairs)

    texts = ["a \ud800 b", "西安\udfff", "a \udc00 b", "x" * 30 + "\ud800"]
    ranked = DuoReranker(StrictComparator()).rerank("谁\ud800", hits_of(texts))
    assert [hit.chunk.id for hit in ranked] == ["3", "0", "2", "1"]
    assert [hit.chunk.text for hit in ranked] == [texts[3], texts[0], texts[2], texts[1]]
    assert ranked[1].score == ranked[2].score
    assert [hit.truncated for hit in ranked] == [True, False, False, False]


def test_a_question_without_text_and_wrong_numbers():
    comparator = LengthComparator()
    assert [hit.chunk.text for hit in DuoReranker(comparator).rerank(" ", hits_of(TEXTS), 2)] == TEXTS[:2]
    assert comparator.calls == 0
    with pytest.raises(InputError, match="depth is 0"):
        DuoReranker(comparator, depth=0)
    with pytest.raises(InputError, match="top_n is 0"):
        DuoReranker(comparator).rerank("谁", hits_of(TEXTS), 0)


def test_what_the_cache_knows_of_the_same_list_is_not_compared_again(tmp_path):
    class Known(LengthComparator):
        fingerprint = "length 1"

    comparator = Known()
    hits = [Hit(Chunk(str(place), text), 0.0, "bm25") for place, text in enumerate([*TEXTS, "", TEXTS[0]])]
    first = DuoReranker(comparator, cache=ScoreCache(tmp_path / "scores.sqlite")).rerank("长江有多长？", hits)
    assert comparator.calls == 20
    again = DuoReranker(comparator, cache=ScoreCache(tmp_path / "scores.sqlite"))
    assert again.rerank("长江有多长？", hits) == first
    assert any(hit.truncated for hit in first)
    assert comparator.calls == 20
    assert DuoReranker(comparator).rerank("长江有多长？", hits[1:]) == again.rerank("长江有多长？", hits[1:])
    assert comparator.calls == 60  # a shorter list is another one
    again.rerank("长江有多宽？", hits)
    DuoReranker(comparator, "one_order", cache=ScoreCache(tmp_path / "scores.sqlite")).rerank("长江有多长？", hits)
    assert comparator.calls == 60 + 20 + 10
