"""Which language a text is in, and how long it is for a model."""

from __future__ import annotations

import pytest

from secondpass.text.language import estimate_tokens, language


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("西安交大由哪几个学校合并的", "zh"),
        ("QLoRA 训练一般用哪个量化库？", "zh"),
        ("Which three schools were merged into 西安交大?", "en"),
        ("How many seconds?", "en"),
        ("", "en"),
        ("123", "en"),
    ],
)
def test_the_language_that_carries_a_question(text: str, expected: str) -> None:
    assert language(text) == expected


def test_the_estimate_grows_with_the_text_and_chinese_is_denser() -> None:
    assert estimate_tokens("西安交通大学" * 10) == pytest.approx(39, abs=1)
    assert estimate_tokens("a" * 60) == 15
    assert estimate_tokens("\ud800") >= 1
