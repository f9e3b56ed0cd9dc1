"""Folding, terms and the vectors of BM25."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from secondpass.text.normalize import fold
from secondpass.text.terms import AVERAGE_LENGTH, K1, B, document_vector, query_terms, query_vector, term_id, terms


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("繁體中文的緩存", "繁体中文的缓存"),
        ("裡裏里", "里里里"),
        ("什麼", "什么"),
        ("ＦａｓｔＡＰＩ　２０２３", "FastAPI 2023"),
        ("ｶﾞ", "ガ"),
        ("Ünïcode CAFÉ", "unicode cafe"),
        ("Let’s", "let's"),
        ("ﬁne", "fine"),
    ],
)
def test_ways_of_writing_one_word_meet(one: str, other: str) -> None:
    assert fold(one) == fold(other)
    assert terms(one) == terms(other)


@given(st.text(max_size=60))
def test_folding_twice_is_folding_once(text: str) -> None:
    assert fold(fold(text)) == fold(text)


def test_english_words_meet_their_inflections() -> None:
    assert set(query_terms("merging schools")) <= set(terms("The school merged with two others"))


def test_a_chinese_query_finds_its_parts_without_spaces() -> None:
    assert set(query_terms("浏览器缓存")) <= set(terms("默认情况下瀏覽器緩存響應六百秒"))


def test_mixed_scripts_are_cut_where_the_script_changes() -> None:
    assert terms("用FastAPI框架") == ["用", "fastapi", "框", "架", "框架"]


def test_numbers_keep_their_decimal_point() -> None:
    assert terms("v3.11 costs 1,000") == ["v3", "11", "cost", "1,000"]


def test_a_document_vector_holds_the_saturated_frequencies() -> None:
    vector = document_vector("cors cors header")
    weights = dict(zip(vector.ids.tolist(), vector.weights.tolist(), strict=True))
    length_part = K1 * (1 - B + B * 3 / AVERAGE_LENGTH)
    assert weights[term_id("cor")] == pytest.approx(2 * (K1 + 1) / (2 + length_part))
    assert weights[term_id("header")] == pytest.approx((K1 + 1) / (1 + length_part))
    assert np.all(np.diff(vector.ids.astype(np.int64)) > 0)


def test_a_query_counts_repeated_terms() -> None:
    vector = query_vector("大学大学")
    weights = dict(zip(vector.ids.tolist(), vector.weights.tolist(), strict=True))
    assert weights[term_id("大学")] == 2.0


@pytest.mark.parametrize("text", ["", "。，！", "🙂", "\x00"])
def test_texts_without_words_have_no_terms(text: str) -> None:
    assert len(document_vector(text).ids) == 0
    assert len(query_vector(text).ids) == 0


def test_threads_do_not_disturb_each_other() -> None:
    texts = [
        f"running {word} schools merged 西安交通大学" for word in ("caches", "headers", "hashing", "queries")
    ] * 200
    expected = [terms(text) for text in texts]
    results: dict[int, list[list[str]]] = {}

    def work(number: int) -> None:
        results[number] = [terms(text) for text in texts]

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(result == expected for result in results.values())
    assert len(results) == 8
