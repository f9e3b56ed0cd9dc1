"""What a question asks for."""

import pytest

from secondpass.rerank.lexical_answers import may_answer, question_kind
from secondpass.rerank.lexical_question import MAX_TERMS, read_question
from secondpass.text.normalize import fold


@pytest.mark.parametrize(
    ("question", "language", "kind"),
    [
        ("西安交大是什么时候合并的？", "zh", "when"),
        ("西安交大是什麼時候合併的？", "zh", "when"),
        ("该校有多少学生？", "zh", "number"),
        ("有几个校区？", "zh", "number"),
        ("谁发明了电话？", "zh", "who"),
        ("公司总部在哪里？", "zh", "where"),
        ("为什么天空是蓝的？", "zh", "why"),
        ("如何安装？", "zh", "how"),
        ("西安的天气", "zh", ""),
        ("When was it merged?", "en", "when"),
        ("what year was it merged", "en", "when"),
        ("How many students are there?", "en", "number"),
        ("Who invented the telephone?", "en", "who"),
        ("Which country is it in?", "en", "where"),
        ("Why is the sky blue?", "en", "why"),
        ("weather in Xi'an", "en", ""),
    ],
)
def test_the_kind_of_answer_is_told_from_the_question(question, language, kind):
    assert question_kind(fold(question), language) == kind


@pytest.mark.parametrize(
    ("kind", "language", "yes", "no"),
    [
        ("when", "zh", "2000年4月17日合并。", "三校合并了。"),
        ("when", "zh", "上世紀末合併。", "三校合併了。"),
        ("number", "zh", "共有四万三千名学生。", "学生来自各地。"),
        ("who", "zh", "由贝尔发明。", "发明于波士顿。"),
        ("where", "zh", "总部位于西安。", "总部很大。"),
        ("when", "en", "It was merged in April 2000.", "It was merged later."),
        ("who", "en", "It was Alexander Graham Bell.", "It was an engineer."),
        ("number", "en", "There are seven of them.", "There are many of them."),
    ],
)
def test_an_answer_of_the_kind_is_seen_and_its_absence_too(kind, language, yes, no):
    assert may_answer(yes, kind, language, "")
    assert not may_answer(no, kind, language, "")


def test_what_the_question_says_itself_is_no_answer():
    assert not may_answer("In 1973 prices rose.", "when", "en", "when did the oil crisis of 1973 end")
    assert not may_answer("1973年油价上涨。", "when", "zh", "1973年石油危机何时结束")


def test_words_that_only_ask_are_no_terms():
    question = read_question("西安交大是由哪三所学校合并而成的？")
    asking = {question.unit_ids[character] for character in "哪"}
    assert all(question.unit_weights[number] == 0 for number in asking)
    assert question.kind == "what"


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
