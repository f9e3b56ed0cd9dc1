"""What a question asks for."""

import pytest

from secondpass.rerank.lexical_question import MAX_TERMS, read_question


def test_words_that_only_ask_are_no_terms():
    question = read_question("西安交大是由哪三所学校合并而成的？")
    asking = {question.unit_ids[character] for character in "哪"}
    assert all(question.unit_weights[number] == 0 for number in asking)
    assert question.kind == "list"


def test_traditional_and_simplified_questions_are_the_same_question():
    one, other = read_question("國務院決定什麼？"), read_question("国务院决定什么？")
    assert one.unit_ids == other.unit_ids
    assert one.term_weights.tolist() == other.term_weights.tolist()


@pytest.mark.parametrize("text", ["", "？", "😀", "\n", "。。。"])
def test_a_text_without_words_has_no_terms(text):
    assert len(read_question(text).term_weights) == 0


@pytest.mark.parametrize("text", ["的", "是不是", "什么", "谁", "to be or not to be", "what", "茶", "x"])
def test_a_question_of_function_words_alone_still_looks_for_them(text):
    question = read_question(text)
    assert len(question.term_weights) >= 1
    assert (question.term_weights >= 0).all()


def test_a_very_long_question_keeps_its_rarest_terms():
    question = read_question("".join(chr(0x4E00 + number) for number in range(3000)))
    assert len(question.term_weights) == MAX_TERMS
    assert question.term_weights.min() >= 8
