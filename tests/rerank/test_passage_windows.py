"""Long passages in windows of whole sentences."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secondpass.rerank.passage_windows import sentence_windows
from secondpass.text.language import estimate_tokens
from secondpass.types import Span

TEXTS = {"zh": "西安交大历史悠久。今天天气很好！" * 20, "en": "Xi'an is old. The weather is nice today! " * 20}

pieces = st.sampled_from(
    ["西安交大。", "Old city. ", "no end ", "。", "\n", "很长的句子没有标点" * 5, "😀", " "]
) | st.text(max_size=12)
passages = st.lists(pieces, max_size=30).map("".join)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_text_that_fits_is_one_window(language):
    assert sentence_windows(TEXTS[language], 1000) == [Span(0, len(TEXTS[language]))]


@pytest.mark.parametrize("language", ["zh", "en"])
def test_windows_end_where_sentences_end_and_share_one(language):
    text = TEXTS[language]
    windows = sentence_windows(text, 40)
    assert len(windows) > 3
    assert all(text[window.start : window.end].endswith(("。", "！", ".", "!")) for window in windows)
    assert all(after.start < before.end for before, after in pairwise(windows))


@given(text=passages, max_tokens=st.integers(2, 60))
def test_windows_cover_everything_but_white_space_and_fit(text, max_tokens):
    windows = sentence_windows(text, max_tokens)
    covered = set().union(*(range(window.start, window.end) for window in windows))
    assert all(text[place].isspace() for place in set(range(len(text))) - covered)
    starts = [window.start for window in windows]
    assert starts == sorted(set(starts))
    assert len({window.end for window in windows}) == len(windows)
    for window in windows:
        length = window.end - window.start
        assert length <= 1 or not text.strip() or estimate_tokens(text[window.start : window.end]) <= max_tokens
