"""Sentence ends, Chinese and English."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secondpass.text.sentences import sentences


def cut(text: str) -> list[str]:
    return [text[span.start : span.end] for span in sentences(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("学校在西安。学生很多！有多少？不知道……", ["学校在西安。", "学生很多！", "有多少？", "不知道……"]),
        ("他说：“走吧。”她没动。", ["他说：“走吧。”", "她没动。"]),
        ("（见图一。）下一句。", ["（见图一。）", "下一句。"]),
        ("学校在西安．共3.5万人", ["学校在西安．共3.5万人"]),
        ("第一行\n第二行", ["第一行", "第二行"]),
        ("It works. Does it? Yes!", ["It works.", "Does it?", "Yes!"]),
        ("Dr. Wu met J. Smith at 3.5 p.m. sharp. Good.", ["Dr. Wu met J. Smith at 3.5 p.m. sharp.", "Good."]),
        (
            "See e.g. Fig. 3 and No. 7. I said no. Then I left.",
            ["See e.g. Fig. 3 and No. 7.", "I said no.", "Then I left."],
        ),
        ('She said "go." He went.', ['She said "go."', "He went."]),
        ("1. Install it\n2. Run it", ["1. Install it", "2. Run it"]),
        (
            "Use node.js or fastapi.tiangolo.com today. 然后重启。",
            ["Use node.js or fastapi.tiangolo.com today.", "然后重启。"],
        ),
        ("用 pip 安装. 然后运行.完成", ["用 pip 安装.", "然后运行.", "完成"]),
        ("", []),
        (" \n ", []),
    ],
)
def test_sentences_end_where_a_reader_ends_them(text: str, expected: list[str]) -> None:
    assert cut(text) == expected


@given(st.text(alphabet=st.sampled_from('ab1 .。!？…\n"”）西大'), max_size=80))
def test_every_visible_character_stands_in_exactly_one_sentence(text: str) -> None:
    spans = sentences(text)
    assert all(span.start < span.end for span in spans)
    assert all(first.end <= second.start for first, second in pairwise(spans))
    inside = {place for span in spans for place in range(span.start, span.end)}
    assert all(place in inside or character.isspace() for place, character in enumerate(text))
