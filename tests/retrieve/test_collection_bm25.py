"""BM25 over a collection, held to the formula written out with dictionaries."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from secondpass.errors import InputError
from secondpass.retrieve import collection_bm25
from secondpass.retrieve.collection_bm25 import CollectionBM25
from secondpass.text.terms import query_terms, terms
from secondpass.types import Chunk

PASSAGES = (
    Chunk("a", "西安交通大学位于陕西省西安市。"),
    Chunk("b", "The university moved to Xi'an in 1956.", title="西安"),
    Chunk("c", "北京大學在北京。"),
    Chunk("d", "Schools merged; merged schools, merging."),
    Chunk("e", ""),
)


def by_the_formula(passages: list[Chunk], query: str) -> list[float]:
    counts = [Counter(terms(f"{chunk.title}\n{chunk.text}")) for chunk in passages]
    average = sum(count.total() for count in counts) / len(counts)
    scores = []
    for count in counts:
        score = 0.0
        for term, asked in Counter(query_terms(query)).items():
            held_by = sum(term in other for other in counts)
            idf = math.log(1 + (len(counts) - held_by + 0.5) / (held_by + 0.5))
            if tf := count[term]:
                score += asked * idf * tf * 2.2 / (tf + 1.2 * (0.25 + 0.75 * count.total() / average))
        scores.append(score)
    return scores


@pytest.mark.parametrize(
    "query", ["西安交大在哪個城市", "merged schools merged", "北京", "nothing of this", "", "大学 university"]
)
def test_scores_are_those_of_the_formula(query: str) -> None:
    scores = CollectionBM25(PASSAGES).scores(query)
    assert scores.tolist() == pytest.approx(by_the_formula(list(PASSAGES), query), abs=1e-12)


words = st.lists(st.sampled_from("西安 交通 大學 大学 merged merging school the ＡＢ".split()), max_size=12).map(
    " ".join
)


@given(st.lists(words, min_size=1, max_size=9), words, st.integers(1, 4))
def test_a_collection_read_in_blocks_scores_the_same(texts: list[str], query: str, at_once: int) -> None:
    passages = [Chunk(str(number), text) for number, text in enumerate(texts)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(collection_bm25, "_PASSAGES_AT_ONCE", at_once)
        scores = CollectionBM25(passages).scores(query)
    assert scores.tolist() == pytest.approx(by_the_formula(passages, query) if any(texts) else [0.0] * len(texts))


@given(st.lists(words, min_size=1, max_size=9), words, st.integers(1, 12))
def test_the_best_are_the_first_of_a_stable_order_without_those_that_hold_nothing(
    texts: list[str], query: str, top_k: int
) -> None:
    bm25 = CollectionBM25(Chunk(f"段{number}", text) for number, text in enumerate(texts))
    scores = bm25.scores(query)
    order = [row for row in np.argsort(-scores, kind="stable") if scores[row] > 0][:top_k]
    assert bm25.best(query, top_k) == [(f"段{row}", scores[row]) for row in order]


def test_ties_keep_the_order_of_the_collection() -> None:
    bm25 = CollectionBM25([Chunk("z", "西安"), Chunk("b", "北京"), Chunk("a", "西安"), Chunk("c", "西安")])
    assert [doc_id for doc_id, _ in bm25.best("西安", 2)] == ["z", "a"]


def test_scores_of_some_passages_are_in_their_given_order() -> None:
    bm25 = CollectionBM25(PASSAGES)
    assert bm25.scores_of("西安 merged", ["d", "a"]).tolist() == bm25.scores("西安 merged")[[3, 0]].tolist()
    assert bm25.scores_of("西安", []).tolist() == []
    with pytest.raises(InputError, match="'乙' is not among the 5"):
        bm25.scores_of("西安", ["a", "乙"])


def test_an_id_that_stands_twice_is_refused() -> None:
    with pytest.raises(InputError, match="'甲' stands twice"):
        CollectionBM25([Chunk("甲", "x"), Chunk("乙", "y"), Chunk("甲", "z")])


def test_a_collection_without_passages_finds_nothing() -> None:
    bm25 = CollectionBM25([])
    assert len(bm25) == 0
    assert bm25.best("西安", 3) == []


def test_a_term_more_frequent_than_a_byte_counts_keeps_its_count() -> None:
    passages = [Chunk("a", "西安" * 70_000), Chunk("b", "西安 " * 300), Chunk("c", "北京")]
    assert CollectionBM25(passages).scores("西安").tolist() == pytest.approx(by_the_formula(passages, "西安"))


def test_another_analyzer_makes_the_terms() -> None:
    bm25 = CollectionBM25([Chunk("a", "x-y"), Chunk("b", "x y")], analyzer=(str.split, str.split))
    assert bm25.best("x-y", 5)[0][0] == "a"
    assert len(bm25.best("x-y", 5)) == 1


def test_a_collection_in_files_scores_the_same_and_leaves_no_blocks(tmp_path: Path) -> None:
    texts = [f"第{n}段讲的是{'西安北京'[n % 4]}大学 university {n % 7} " * (1 + n % 3) for n in range(60)]
    texts[13] = "西 " * 300  # more than a byte counts
    passages = [Chunk(f"段{n}", text) for n, text in enumerate(texts)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(collection_bm25, "_PASSAGES_AT_ONCE", 7)
        on_disk = CollectionBM25(passages, folder=tmp_path)
    in_memory = CollectionBM25(passages)
    for query in ("西安的大学", "university 3", "没有", ""):
        assert on_disk.scores(query).tolist() == in_memory.scores(query).tolist()
        assert on_disk.best(query, 9) == in_memory.best(query, 9)
    assert on_disk.scores_of("西安", ["段13", "段2"]).tolist() == in_memory.scores_of("西安", ["段13", "段2"]).tolist()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["counts", "rows"]
    assert len(CollectionBM25([], folder=tmp_path / "无")) == 0
