"""The best at both ends."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secondpass.rerank.lexical import LexicalReranker
from secondpass.rerank.reading_order import ReadingOrderReranker
from secondpass.types import Chunk, Hit


def hits_of(count):
    return [Hit(Chunk(str(i), f"第{i}段"), float(-i), "logit", probability=0.5) for i in range(1, count + 1)]


@pytest.mark.parametrize(("count", "order"), [(0, ""), (1, "1"), (2, "12"), (3, "132"), (6, "135642"), (7, "1357642")])
def test_the_best_stand_at_both_ends(count, order):
    out = ReadingOrderReranker().rerank("谁？", hits_of(count))
    assert "".join(hit.chunk.id for hit in out) == order


@given(count=st.integers(0, 30), top_n=st.integers(1, 30))
def test_the_best_are_kept_and_no_score_is_changed(count, top_n):
    out = ReadingOrderReranker().rerank("who?", hits_of(count), top_n)
    assert {hit.chunk.id for hit in out} == {hit.chunk.id for hit in hits_of(count)[:top_n]}
    assert all((hit.score, hit.probability) == (-float(hit.chunk.id), 0.5) for hit in out)
    ranks = [int(hit.chunk.id) for hit in out]
    worst = ranks.index(max(ranks)) if ranks else 0
    assert ranks[:worst] == sorted(ranks[:worst])
    assert ranks[worst:] == sorted(ranks[worst:], reverse=True)


def test_it_may_hold_the_reranker_it_follows():
    hits = [Hit(Chunk(str(i), text), 0.0, "bm25") for i, text in enumerate(["天气", "西安交大在西安", "西安"])]
    out = ReadingOrderReranker(LexicalReranker()).rerank("西安交大在哪？", hits)
    assert out[0].chunk.id == "1"
    assert [stage.stage for stage in out[0].stages] == ["lexical", "edges"]
    assert ReadingOrderReranker(LexicalReranker()).name == "lexical>edges"
