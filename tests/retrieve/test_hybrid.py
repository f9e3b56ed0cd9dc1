"""Fusing retrievers."""

from __future__ import annotations

import pytest

from secondpass.errors import InputError
from secondpass.retrieve.hybrid import HybridRetriever
from secondpass.types import Chunk, Hit, StageScore


class Fixed:
    """A retriever that always finds the same, in the same order."""

    def __init__(self, name: str, ids: str) -> None:
        self.name = name
        self.ids = ids
        self.asked: list[int] = []

    def retrieve(self, query: str, top_k: int) -> list[Hit]:
        self.asked.append(top_k)
        return [
            Hit(
                Chunk(name, f"{query} {name}"), 1 / rank, "unknown", (StageScore(self.name, rank, 1 / rank, "unknown"),)
            )
            for rank, name in enumerate(self.ids[:top_k], start=1)
        ]


def test_a_passage_found_by_both_comes_before_one_found_by_either() -> None:
    hits = HybridRetriever([Fixed("bm25", "abc"), Fixed("dense", "dcb")]).retrieve("西安", 4)
    assert [hit.chunk.id for hit in hits] == ["b", "c", "a", "d"]
    assert hits[0].score == pytest.approx(1 / 63 + 1 / 62)
    assert {hit.scale for hit in hits} == {"rrf"}


def test_in_turn_each_retrievers_first_come_first() -> None:
    hits = HybridRetriever([Fixed("bm25", "abcd"), Fixed("crossing", "dcbx")], in_turn=True).retrieve("西安", 5)
    assert [hit.chunk.id for hit in hits] == ["a", "d", "b", "c", "x"]
    assert hits[1].score == pytest.approx(1 / 61)
    assert [(stage.stage, stage.rank) for stage in hits[1].stages] == [("bm25", 4), ("crossing", 1), ("hybrid", 2)]


def test_every_hit_remembers_where_each_retriever_put_it() -> None:
    first = HybridRetriever([Fixed("bm25", "ab"), Fixed("dense", "b")]).retrieve("q", 1)[0]
    assert [(stage.stage, stage.rank) for stage in first.stages] == [("bm25", 2), ("dense", 1), ("hybrid", 1)]


def test_weights_decide() -> None:
    retrievers = [Fixed("bm25", "ab"), Fixed("dense", "ba")]
    assert HybridRetriever(retrievers, [1, 3]).retrieve("q", 1)[0].chunk.id == "b"
    assert HybridRetriever(retrievers, [3, 1]).retrieve("q", 1)[0].chunk.id == "a"


def test_a_retriever_of_weight_zero_is_not_asked() -> None:
    silent = Fixed("dense", "ba")
    assert [hit.chunk.id for hit in HybridRetriever([Fixed("bm25", "ab"), silent], [1, 0]).retrieve("q", 5)] == [
        "a",
        "b",
    ]
    assert silent.asked == []


def test_ties_keep_the_order_of_the_first_retriever() -> None:
    hits = HybridRetriever([Fixed("bm25", "ab"), Fixed("dense", "ba")]).retrieve("q", 2)
    assert [hit.chunk.id for hit in hits] == ["a", "b"]


def test_the_first_ranks_do_not_depend_on_how_many_are_wanted() -> None:
    retrievers = [Fixed("bm25", "abcdef"), Fixed("dense", "fedcba")]
    hybrid = HybridRetriever(retrievers)
    few, many = hybrid.retrieve("q", 2), hybrid.retrieve("q", 6)
    assert [hit.chunk.id for hit in few] == [hit.chunk.id for hit in many[:2]]


@pytest.mark.parametrize("weights", [[1.0], [-1.0, 2.0], [0.0, 0.0]])
def test_impossible_weights_are_refused(weights: list[float]) -> None:
    with pytest.raises(InputError, match="weights"):
        HybridRetriever([Fixed("bm25", "a"), Fixed("dense", "b")], weights)


def test_a_depth_below_one_is_refused() -> None:
    with pytest.raises(InputError, match="top_k is 0"):
        HybridRetriever([Fixed("bm25", "a")]).retrieve("q", 0)
