"""Spans end where words end."""

from __future__ import annotations

import time

import pytest

from secondpass.text.whole_words import whole_words
from secondpass.types import Span


@pytest.mark.parametrize(
    ("text", "cut", "whole"),
    [
        ("a custom header X-Process-Time containing", "X", "X-Process-Time"),
        ("写入自定义响应头 X-Process-Time，单位是秒。", "Process", "X-Process-Time"),
        ("推荐的算法是 Argon2。", "Argon", "Argon2"),
        ("Émile Zola", "mile Zo", "Émile Zola"),
        ("set max_age to 600", "age", "max_age"),
        ("built by GPT-4 in 1990-1995", "GPT", "GPT-4"),
        ("built by GPT-4 in 1990-1995", "1990", "1990"),
        ("a 20-year plan", "20", "20"),
        ("Linux 基金会的项目", "基金会", "基金会"),
        ("共有156个学生社团", "156", "156"),
        ("Mark Twain's book", "Mark Twain", "Mark Twain"),
        ("two whole words", "two whole", "two whole"),
    ],
)
def test_a_span_takes_the_whole_of_the_words_it_cuts_and_nothing_else(text: str, cut: str, whole: str) -> None:
    start = text.index(cut)
    span = whole_words(text, Span(start, start + len(cut)))
    assert text[span.start : span.end] == whole


def test_a_text_that_is_one_long_word_costs_no_time_and_is_not_taken_whole() -> None:
    text = "x" * 1_000_000
    started = time.process_time()
    span = whole_words(text, Span(500_000, 500_001))
    assert time.process_time() - started < 0.1
    assert span.end - span.start <= 201
