"""Answers are found in passages as tokens."""

from __future__ import annotations

import numpy as np

from secondpass.train.answer_places import answer_places


def letters(text: str) -> np.ndarray:
    """Return offsets in which every character is a token."""
    return np.array([(place, place + 1) for place in range(len(text))], dtype=np.int64)


def words(text: str) -> np.ndarray:
    """Return offsets in which every word is a token."""
    starts = [place for place in range(len(text)) if text[place] != " " and (place == 0 or text[place - 1] == " ")]
    return np.array([(start, start + len(text[start:].split(" ", maxsplit=1)[0])) for start in starts], dtype=np.int64)


def test_every_place_of_an_answer_is_found_whatever_its_case() -> None:
    text = "The Rhine is long. the rhine is old."
    assert answer_places(text, words(text), ["The Rhine"]) == ((0, 1), (4, 5))


def test_chinese_answers_are_found_within_a_sentence() -> None:
    text = "长江全长六千三百公里，长江流入东海。"
    assert answer_places(text, letters(text), ["长江", "东海"]) == ((0, 1), (11, 12), (15, 16))


def test_a_number_within_a_number_and_a_word_within_a_word_are_no_answer() -> None:
    text = "In 1958 he was 5 years old; category 15."
    assert answer_places(text, words(text), ["5"]) == ((4, 4),)
    assert answer_places(text, words(text), ["cat"]) == ()


def test_a_digit_beside_a_chinese_character_stands_alone() -> None:
    text = "于2000年合并"
    assert answer_places(text, letters(text), ["2000"]) == ((1, 4),)


def test_what_was_cut_off_or_is_empty_is_not_found() -> None:
    text = "答案在最后：西安"
    assert answer_places(text, letters(text)[:5], ["西安"]) == ()
    assert answer_places(text, letters(text), ["", " "]) == ()


def test_letters_that_grow_in_lower_case_do_not_move_places() -> None:
    text = "İstanbul 在土耳其"
    assert answer_places(text, letters(text), ["土耳其"]) == ((10, 12),)
