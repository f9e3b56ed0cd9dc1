"""Near questions of a file: those that comparing all with all finds."""

from __future__ import annotations

import random
from itertools import combinations

from secondpass.data.near_questions import NearQuestions
from secondpass.data.training_texts import query_shingles, resemblance

WORDS = ["西安", "交通", "大学", "合并", "哪一年", "图书馆", "merged", "university", "library", "opened", "在", "的"]


def test_what_is_found_is_what_comparing_all_with_all_finds() -> None:
    lot = random.Random(13)
    texts = ["".join(lot.choices(WORDS, k=12)) for _ in range(150)]
    texts += [text[:9] + lot.choice("了吗呢") + text[9:] for text in texts[:80]]
    index = NearQuestions(0.8)
    for text in texts:
        index.add(text)
    assert len(index) == 230
    shingles = [query_shingles(text) for text in texts]
    expected = {pair for pair in combinations(range(230), 2) if resemblance(*(shingles[one] for one in pair)) >= 0.8}
    assert len(expected) > 30
    found = set(index.pairs(lambda *_: False))
    assert found <= expected
    assert len(found) >= len(expected) - 1  # one in 4,900 is missed at 0.8


def test_pairs_that_are_known_to_be_near_are_not_compared_again() -> None:
    index = NearQuestions(0.8)
    for text in ("西安在哪里", "西安，在哪裡？", "北京在哪里"):
        index.add(text)
    assert set(index.pairs(lambda *_: False)) == {(0, 1)}
    assert not list(index.pairs(lambda *_: True))


def test_nothing_is_near_where_nothing_was_added() -> None:
    assert not list(NearQuestions(0.8).pairs(lambda *_: False))
