"""Rerankers in a row."""

import pytest

from secondpass.rerank.cascade import CascadeReranker, Stage
from secondpass.rerank.lexical import LexicalReranker
from secondpass.types import Chunk, Hit

QUESTION = "谁发明了电话？"
PASSAGES = ["贝尔发明了电话。", "电话是谁的？", "爱迪生发明了电灯。", "今天下雨。"]


def hits_of(passages: list[str]) -> list[Hit]:
    return [Hit(Chunk(str(i), text), 0.0, "bm25") for i, text in enumerate(passages)]


class ShortestFirst:
    """A second opinion that is easy to foresee: short passages are better."""

    name = "shortest"

    def rerank(self, query, hits, top_n=None):
        return sorted(hits, key=lambda hit: len(hit.chunk.text))[:top_n]


def test_what_a_stage_cuts_does_not_come_back():
    cascade = CascadeReranker([Stage(LexicalReranker(), 2), Stage(ShortestFirst())])
    kept = {hit.chunk.id for hit in LexicalReranker().rerank(QUESTION, hits_of(PASSAGES), 2)}
    assert {hit.chunk.id for hit in cascade.rerank(QUESTION, hits_of(PASSAGES))} == kept


def test_the_last_stage_decides_the_order():
    cascade = CascadeReranker([Stage(LexicalReranker(), 3), Stage(ShortestFirst())])
    lengths = [len(hit.chunk.text) for hit in cascade.rerank(QUESTION, hits_of(PASSAGES))]
    assert lengths == sorted(lengths)


@pytest.mark.parametrize("top_n", [1, 2, None])
def test_the_caller_gets_no_more_than_asked_for(top_n):
    cascade = CascadeReranker([Stage(LexicalReranker())])
    assert len(cascade.rerank(QUESTION, hits_of(PASSAGES), top_n)) == (top_n or len(PASSAGES))


def test_the_name_tells_the_stages_and_what_each_keeps():
    assert CascadeReranker([Stage(LexicalReranker(), 50), Stage(ShortestFirst())]).name == "lexical@50>shortest@all"


def test_a_cascade_of_cascades_is_a_reranker_too():
    inner = CascadeReranker([Stage(LexicalReranker(), 3)])
    outer = CascadeReranker([Stage(inner), Stage(LexicalReranker(), 1)])
    assert [hit.chunk.text for hit in outer.rerank(QUESTION, hits_of(PASSAGES))] == ["贝尔发明了电话。"]


def test_a_cascade_without_stages_keeps_the_retrieved_order():
    assert CascadeReranker([]).rerank(QUESTION, hits_of(PASSAGES)) == hits_of(PASSAGES)
