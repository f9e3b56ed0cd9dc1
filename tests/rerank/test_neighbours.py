"""Passages that follow each other become one."""

from __future__ import annotations

import logging
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secondpass.errors import InputError
from secondpass.rerank.lexical import LexicalReranker
from secondpass.rerank.neighbours import MERGED_IDS, JoinLimits, NeighbourReranker
from secondpass.types import Chunk, Hit, Span

ZH = "西安交大建于一八九六年。它在西安。学校由三所学校合并。今天天气很好。图书馆晚上开放。"
EN = "The university is old. It is in Xi'an. Three schools were merged. It rains today. The library is open."


def hit_of(text, start, end, score=1.0, doc_id="d", evidence=None, truncated=False):
    headings = ("第一章", f"节{start}")
    chunk = Chunk(f"{doc_id}-{start}-{end}", text[start:end], doc_id, start, end, headings, page=1 + start)
    return Hit(chunk, score, "logit", evidence=evidence, truncated=truncated, probability=0.7)


@pytest.mark.parametrize("text", [ZH, EN])
def test_touching_and_overlapping_passages_become_one_slice(text):
    hits = [hit_of(text, 10, 20, 3.0), hit_of(text, 0, 10, 2.0), hit_of(text, 15, 30, 1.0)]
    out = NeighbourReranker().rerank("x", hits)
    assert len(out) == 1
    chunk = out[0].chunk
    assert (chunk.start, chunk.end, chunk.text) == (0, 30, text[0:30])
    assert (chunk.id, out[0].score, out[0].scale, out[0].probability) == ("d-10-20", 3.0, "logit", 0.7)
    assert chunk.metadata[MERGED_IDS] == ["d-0-10", "d-10-20", "d-15-30"]
    assert chunk.heading_path == ("第一章",)
    assert chunk.page == 1


def test_the_evidence_is_still_the_same_words():
    evidence = Span(2, 6)
    best = replace(hit_of(ZH, 12, 25, 3.0, evidence=evidence), evidence_confidence=0.6)
    hits = [best, hit_of(ZH, 0, 12, 2.0)]
    words = hits[0].chunk.text[evidence.start : evidence.end]
    out = NeighbourReranker().rerank("x", hits)[0]
    assert out.evidence is not None
    assert out.chunk.text[out.evidence.start : out.evidence.end] == words
    assert (out.evidence_confidence, out.probability) == (0.6, 0.7)


def test_without_evidence_the_best_part_is_it():
    out = NeighbourReranker().rerank("x", [hit_of(EN, 12, 25, 3.0), hit_of(EN, 0, 12, 2.0, truncated=True)])[0]
    assert out.evidence == Span(12, 25)
    assert out.truncated


def test_a_passage_inside_another_is_taken_in():
    out = NeighbourReranker().rerank("x", [hit_of(ZH, 5, 10, 3.0), hit_of(ZH, 0, 30, 2.0)])
    assert [(hit.chunk.text, hit.score, hit.evidence) for hit in out] == [(ZH[0:30], 3.0, Span(5, 10))]


@pytest.mark.parametrize(
    "others",
    [
        [hit_of(ZH, 11, 20)],
        [hit_of(ZH, 10, 20, doc_id="e")],
        [hit_of(ZH, 10, 20, doc_id="")],
        [Hit(Chunk("x", "别的话", "d", 8, 11), 1.0, "logit")],
        [Hit(Chunk("x", "没有位置", "d"), 1.0, "logit")],
    ],
    ids=["a gap", "another document", "no document", "another text", "no place"],
)
def test_what_cannot_be_joined_exactly_stays_as_it_is(others):
    hits = [hit_of(ZH, 0, 10), *others]
    assert [hit.chunk for hit in NeighbourReranker().rerank("x", hits)] == [hit.chunk for hit in hits]


@pytest.mark.parametrize("text", [ZH, EN])
def test_a_gap_is_bridged_where_the_document_can_be_read(text):
    hits = [hit_of(text, 0, 10), hit_of(text, 12, 20), hit_of(text, 40, 44)]
    read = NeighbourReranker(read=lambda doc_id, start, end: text[start:end] if doc_id == "d" else None)
    assert [hit.chunk.text for hit in read.rerank("x", hits)] == [text[0:20], text[40:44]]
    unknown = NeighbourReranker(read=lambda doc_id, start, end: None)
    assert len(unknown.rerank("x", hits)) == 3


def test_a_joined_passage_stays_within_its_tokens():
    text = "西安交大的学生很多。" * 100
    hits = [hit_of(text, start, start + 100) for start in range(0, 1000, 100)]
    out = NeighbourReranker(limits=JoinLimits(max_tokens=150)).rerank("x", hits)
    assert [len(hit.chunk.text) for hit in out] == [200] * 5
    with pytest.raises(InputError, match="max_tokens"):
        NeighbourReranker(limits=JoinLimits(max_tokens=0))


def test_how_many_were_joined_is_logged(caplog):
    with caplog.at_level(logging.INFO):
        NeighbourReranker().rerank("x", [hit_of(ZH, 0, 10), hit_of(ZH, 10, 20), hit_of(ZH, 25, 30)])
    assert "merge joined 3 passages into 2" in caplog.text


@st.composite
def candidates(draw):
    text = draw(st.sampled_from([ZH, EN]))
    places = draw(
        st.lists(st.tuples(st.integers(0, 38), st.integers(1, 12), st.sampled_from("de")), max_size=10, unique=True)
    )
    return text, [
        hit_of(text, start, min(start + length, len(text)), 10.0 - rank, doc_id)
        for rank, (start, length, doc_id) in enumerate(places)
    ]


@given(given=candidates(), top_n=st.none() | st.integers(1, 5))
def test_every_result_is_a_slice_of_its_document_and_nothing_is_lost(given, top_n):
    text, hits = given
    before = list(hits)
    out = NeighbourReranker().rerank("x", hits, top_n)
    assert hits == before
    for hit in out:
        assert hit.chunk.text == text[hit.chunk.start : hit.chunk.end]
    assert [hit.score for hit in out] == sorted((hit.score for hit in out), reverse=True)
    whole = NeighbourReranker().rerank("x", hits)
    assert out == whole[:top_n]
    for hit in hits:
        assert any(
            hit.chunk.doc_id == kept.chunk.doc_id
            and kept.chunk.start <= hit.chunk.start
            and hit.chunk.end <= kept.chunk.end
            for kept in whole
        )
    spans = sorted((hit.chunk.doc_id, hit.chunk.start, hit.chunk.end) for hit in whole)
    for (doc, _, end), (next_doc, start, _) in pairwise(spans):
        assert doc != next_doc or end < start


def test_it_follows_a_reranker():
    hits = [hit_of(ZH, 0, 12, 0.0), hit_of(ZH, 25, 33, 0.0), hit_of(ZH, 12, 25, 0.0)]
    out = NeighbourReranker(LexicalReranker()).rerank("学校由几所学校合并？", hits)
    assert out[0].chunk.text == ZH[0:33]
    assert [stage.stage for stage in out[0].stages] == ["lexical", "merge"]
