"""What is text stays text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import html

from secondpass.report.markup import Text, both, data, element, escape, fill, number, sentences, visible

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</style><b>",
    "' onload='alert(1)",
    "&lt;already&gt; &amp; 西安<b>交大</b>",
    "{name}",
)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_read_as_text(text: str) -> None:
    parsed = html.fragment_fromstring(element("p", {"title": text}, escape(text)))
    assert parsed.text_content() == text
    assert parsed.get("title") == text
    assert len(parsed) == 0


@given(st.text())
def test_any_text_survives_as_text_or_is_written_out(text: str) -> None:
    parsed = html.fragment_fromstring(element("p", {}, escape(text)))
    assert (parsed.text or "") == visible(text)
    assert len(parsed) == 0
    visible(text).encode("utf-8")


def test_characters_that_turn_the_direction_are_seen_and_do_nothing() -> None:
    assert visible("文档\u202exe\u2066\x1b[31m\x00\ud800") == "文档[U+202E]xe[U+2066][U+001B][31m[U+0000][U+D800]"


def test_values_are_filled_into_text_and_their_braces_are_not_places() -> None:
    assert fill("a < {name}", {"name": data("{other}")}) == "a &lt; <bdi>{other}</bdi>"


def test_a_place_without_a_value_is_an_error() -> None:
    with pytest.raises(KeyError):
        fill("{nobody}", {})


def test_both_languages_stand_side_by_side() -> None:
    assert both(Text("yes", "是")) == '<span class="en">yes</span><span class="zh" lang="zh-Hans">是</span>'


def test_sentences_are_spaced_in_english_and_not_in_chinese() -> None:
    said = html.fragment_fromstring(f"<p>{sentences([(Text('One.', '一。'), {}), (Text('Two.', '二。'), {})])}</p>")
    assert [part.text for part in said] == ["One. Two.", "一。二。"]


@given(st.floats(-1e5, 1e5))
def test_coordinates_are_within_half_a_tenth(value: float) -> None:
    assert abs(float(number(value)) - value) <= 0.05 + 1e-6
    assert number(value) != "-0"
