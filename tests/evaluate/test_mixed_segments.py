"""Segments of mixed texts, as the official script of CMRC 2018 makes them with NLTK (3.10: ``NLTKWordTokenizer``)."""

import pytest

from secondpass.evaluate.mixed_segments import mixed_segments, without_marks


@pytest.mark.parametrize(
    ("text", "segments"),
    [
        ("任天堂", ["任", "天", "堂"]),
        ("《Final Fantasy VII》", ["final", "fantasy", "vii"]),
        ("ω-force公司", ["ωforce", "公", "司"]),  # a mark between words joins them
        ("A：B", ["ab"]),
        ("2,000.5美元", ["2,000.5", "美", "元"]),
        ("95%的人", ["95", "%", "的", "人"]),
        ("(约$5)", ["(", "约", "$", "5", ")"]),
        ("dr. smith jr. of the u.s. army.", ["dr.", "smith", "jr.", "of", "the", "u.s.", "army", "."]),
        ("the end. it's over", ["the", "end", ".", "it", "'s", "over"]),
        ("don't say 'no', cannot", ["do", "n't", "say", "'", "no", "'", ",", "can", "not"]),
        ("1973–74年", ["1973", "–", "74", "年"]),
        ("㐀〇x", ["㐀〇x"]),  # the script knows the characters from 一 to 龥 alone
        ("  ", []),
        ("", []),
    ],
)
def test_chinese_characters_stand_alone_and_words_whole(text: str, segments: list[str]) -> None:
    assert mixed_segments(text) == segments


def test_marks_are_taken_away_and_spaces_within_are_kept() -> None:
    assert without_marks(" “Red-Chamber”、红 楼 ") == "redchamber红 楼"
