"""Texts to units: numbers meet however they are written, irregular forms meet their lemma."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secondpass.rerank.lexical_units import cut, unit_of
from secondpass.text.normalize import fold


def units(text: str) -> list[str]:
    return [unit for unit in map(unit_of, cut(fold(text))) if unit]


@pytest.mark.parametrize(
    "writings",
    [
        ("三所", "3所"),
        ("三十五年", "35年"),
        ("二〇〇八年", "2008年", "２００８年", "二零零八年"),
        ("一万二千人", "12000人", "12,000人"),
        ("十", "10"),
        ("兩個", "两个", "2个"),
        ("three schools", "3 schools", "3 school"),
        ("it began", "it begins", "it began.", "It Begun"),
        ("women", "woman"),
        ("merging", "merged", "Merges"),
        ("café", "Cafe"),
    ],
)
def test_writings_of_the_same_thing_become_the_same_units(writings):
    assert len({tuple(units(writing)) for writing in writings}) == 1


@pytest.mark.parametrize("text", ["百万富翁", "千万不要", "万一"])
def test_numerals_that_are_no_number_stay_as_they_are(text):
    assert "".join(units(text)) == text.replace("一", "一")


def test_every_chinese_character_is_a_unit_and_every_word_is_one():
    assert units("西安交大 merged, 2000年。") == ["西", "安", "交", "大", "merg", "2000", "年"]


@given(st.text(max_size=80))
def test_any_text_can_be_cut(text):
    assert all(unit_of(token) == unit_of(token).strip() for token in cut(fold(text)))
