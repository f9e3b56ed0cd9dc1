"""Long passages in windows: what each covers, where it is cut, how scores become one."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.models.tiny_models import SENTENCES

from secondpass.models.tokenizer import EncodedText, TextTokenizer
from secondpass.models.windows import (
    cut_windows,
    merge_scores,
    sentence_ends,
    sentence_windows,
    token_windows,
    window_overlap,
)

LENGTH_AND_ROOM = st.tuples(st.integers(0, 3000), st.integers(8, 600))


def assert_cover(windows, length, room):
    assert windows[0][0] == 0
    assert windows[-1][1] == length
    for start, end in windows:
        assert 0 <= start <= end <= start + room
    for before, after in itertools.pairwise(windows):
        assert before[0] < after[0] <= before[1]
        assert before[1] < after[1]


@settings(max_examples=200, deadline=None)
@given(LENGTH_AND_ROOM)
def test_windows_cover_every_token_in_order_and_none_is_longer_than_its_room(sizes):
    length, room = sizes
    assert_cover(token_windows(length, room), length, room)
    assert_cover(token_windows(length, room, slide_back=False), length, room)
    assert (len(token_windows(length, room)) == 1) == (length <= room)


@settings(max_examples=200, deadline=None)
@given(LENGTH_AND_ROOM, st.lists(st.integers(1, 3000), max_size=80))
def test_windows_of_sentences_cover_every_token_too(sizes, cuts):
    length, room = sizes
    if length:
        assert_cover(sentence_windows(length, room, sorted({cut for cut in cuts if cut <= length})), length, room)


def test_all_windows_but_bces_last_are_full():
    assert token_windows(1000, 400) == [(0, 400), (320, 720), (600, 1000)]
    assert token_windows(1000, 400, slide_back=False) == [(0, 400), (320, 720), (640, 1000)]
    assert (window_overlap(400), window_overlap(120)) == (80, 30)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_windows_of_sentences_start_and_end_between_sentences(tiny_xlmr, language):
    chosen = [text for text in SENTENCES if text.isascii() == (language == "en") and len(text) < 40]
    text = "".join(chosen * 6) if language == "zh" else " ".join(["It rained.", "The museum is closed."] * 30)
    encoded = TextTokenizer(tiny_xlmr).encode([text])[0]
    windows = cut_windows(text, encoded, 60, "sentences", "max")
    assert len(windows) > 3
    spans = [encoded.span(*window) for window in windows]
    for span in spans:
        piece = text[span.start : span.end].strip()
        assert piece[-1] in "。？！!.”"
        assert span.start == 0 or text[: span.start].rstrip()[-1] in "。？！!.”"
    assert any(a.end > b.start for a, b in itertools.pairwise(spans))


def test_a_text_without_sentences_is_cut_like_tokens():
    assert sentence_windows(1000, 400, []) == [(0, 400), (320, 720), (640, 1000)]


def test_sentence_ends_are_counts_of_tokens(tiny_xlmr):
    text = "北京是首都。今天下雨！ It rained."
    encoded = TextTokenizer(tiny_xlmr).encode([text])[0]
    pieces = [text[encoded.span(0, end).start : encoded.span(0, end).end] for end in sentence_ends(text, encoded)]
    assert pieces == ["北京是首都。", "北京是首都。今天下雨！", text]


def test_what_fits_is_one_window_and_first_reads_no_more_than_one():
    text = EncodedText(np.arange(50), np.stack([np.arange(50), np.arange(50) + 1], axis=1))
    assert cut_windows("。" * 50, text, 50, "sentences", "max") == [(0, 50)]
    assert cut_windows("字" * 50, text, 20, "tokens", "first") == [(0, 20)]


@pytest.mark.parametrize(
    ("rule", "expected"), [("max", (0.9, 1)), ("mean", (0.4, 1)), ("first", (-0.1, 0)), ("bce", (0.9, 1))]
)
def test_scores_are_merged_by_their_rule(rule, expected):
    score, winner = merge_scores([-0.1, 0.9, 0.9, -0.1], rule)
    assert (round(score, 9), winner) == expected


def test_bces_accumulator_starts_at_zero():
    assert merge_scores([-0.5], "bce") == (0.0, 0)
    assert merge_scores([-0.5], "max") == (-0.5, 0)
