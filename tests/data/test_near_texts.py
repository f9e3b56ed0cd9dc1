"""Texts that are the same, or nearly."""

from __future__ import annotations

import random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from secondpass.data.hash_log import HashLog
from secondpass.data.near_texts import NearTexts
from secondpass.data.reservoir import Reservoir
from secondpass.data.training_texts import passage_shingles, query_shingles, resemblance, same_form, text_key
from secondpass.rerank.duplicates import runs


@given(st.text(max_size=60), st.text(max_size=60))
def test_resemblance_is_that_of_exact_runs(first: str, second: str) -> None:
    expected = runs(first), runs(second)
    found = resemblance(passage_shingles(first), passage_shingles(second))
    if same_form(first) and same_form(second) and any(c.isalnum() for c in first) and any(c.isalnum() for c in second):
        assert abs(found - len(expected[0] & expected[1]) / len(expected[0] | expected[1])) < 1e-9
    assert 0 <= found <= 1


def test_writing_does_not_change_the_form() -> None:
    assert text_key("ＣＯＲＳ 緩存？") == text_key("cors缓存")
    assert text_key("...") != text_key("???")


def test_near_texts_are_found_among_many_and_others_are_not() -> None:
    draw = random.Random(3)
    words = [f"词{number}" if number % 2 else f"word{number}" for number in range(500)]
    texts = [" ".join(draw.choices(words, k=40)) for _ in range(300)]
    index = NearTexts(0.8)
    for number, text in enumerate(texts):
        index.add(passage_shingles(text), str(number))
    changed = [" ".join([*text.split()[:39], "新"]) for text in texts]
    found = [index.find(passage_shingles(text)) for text in changed]
    assert [near and near.place for near in found] == [str(number) for number in range(300)]
    assert index.find(passage_shingles("完全不同的一段文字，没有人写过。")) is None


def test_only_so_many_texts_are_kept_and_the_rest_is_counted() -> None:
    index = NearTexts(0.8, most=2)
    for text in ("城墙在西安", "钟楼在西安", "长城在北京"):
        index.add(query_shingles(text), text)
    assert index.left_out == 1
    assert index.find(query_shingles("长城在北京")) is None
    near = index.find(query_shingles("城墙在西安？"))
    assert near is not None
    assert (near.place, near.resemblance) == ("城墙在西安", 1.0)


@given(st.lists(st.integers(0, 20), max_size=40), st.lists(st.integers(0, 20), max_size=10))
def test_a_log_of_hashes_knows_what_came_before(keys: list[int], others: list[int]) -> None:
    log, other = HashLog(), HashLog()
    for line, key in enumerate(keys, start=1):
        log.add(key, line)
    for key in others:
        other.add(key, 0)
    assert log.repeated().tolist() == [place for place, key in enumerate(keys) if key in keys[:place]]
    assert log.also_in(other).tolist() == [place for place, key in enumerate(keys) if key in others]
    assert np.array_equal(log.lines, np.arange(1, len(keys) + 1))


def test_a_reservoir_keeps_a_fair_sample_in_order() -> None:
    counts = np.zeros(20)
    for seed in range(400):
        reservoir = Reservoir[int](5, seed)
        for thing in range(20):
            reservoir.add(thing)
        assert reservoir.sample == sorted(reservoir.sample)
        counts[reservoir.sample] += 1
    assert counts.sum() == 2000
    assert counts.min() > 60
    assert counts.max() < 140
