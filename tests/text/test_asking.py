"""What a question asks for, and what could answer it."""

from __future__ import annotations

import pytest

from secondpass.text.asking import Kind, asked_noun, asks_for_one, may_answer, question_kind
from secondpass.text.normalize import fold
from secondpass.types import Language


@pytest.mark.parametrize(
    ("question", "language", "kind"),
    [
        ("西安交大由哪几个学校合并的", "zh", "list"),
        ("西安交大是什么时候合并的？", "zh", "when"),
        ("西安交大是什麼時候合併的？", "zh", "when"),
        ("該校於何時成立？", "zh", "when"),
        ("该校有多少学生？", "zh", "count"),
        ("有几个校区？", "zh", "count"),
        ("誰發明了電話？", "zh", "who"),
        ("三大旅遊品牌包括古鎮以及哪個旅程？", "zh", "what"),  # one of them is asked for
        ("公司总部在哪里？", "zh", "where"),
        ("總部位於哪個城市？", "zh", "where"),
        ("为什么天空是蓝的？", "zh", "why"),
        ("怎麼樣安裝？", "zh", "how"),
        ("艾伦•图灵的论文叫什么", "zh", "what"),
        ("支持中文吗？", "zh", "yes_no"),
        ("西安的天气", "zh", ""),
        ("When was it merged?", "en", "when"),
        ("In what year did it open?", "en", "when"),
        ("How many seconds do browsers cache it?", "en", "count"),
        ("Who invented the telephone?", "en", "who"),
        ("Which country is it in?", "en", "where"),
        ("Why is the sky blue?", "en", "why"),
        ("Which three schools were merged?", "en", "list"),
        ("Which algorithm is recommended?", "en", "what"),
        ("Does it support Chinese?", "en", "yes_no"),
        ("weather in Xi'an", "en", ""),
    ],
)
def test_the_kind_of_answer_is_told_from_the_question(question: str, language: Language, kind: Kind) -> None:
    assert question_kind(fold(question), language) == kind


@pytest.mark.parametrize(
    ("kind", "language", "yes", "no"),
    [
        ("when", "zh", "2000年4月17日合并。", "三校合并了。"),
        ("when", "zh", "上世紀末合併。", "三校合併了。"),
        ("count", "zh", "共有四万三千名学生。", "学生来自各地。"),
        ("who", "zh", "由贝尔发明。", "发明于波士顿。"),
        ("where", "zh", "总部位于西安。", "总部很大。"),
        ("list", "zh", "交大、医大、财院合并。", "三校合并。"),
        ("when", "en", "It was merged in April 2000.", "It was merged later."),
        ("who", "en", "It was Alexander Graham Bell.", "It was an engineer."),
        ("count", "en", "There are seven of them.", "There are many of them."),
    ],
)
def test_an_answer_of_the_kind_is_seen_and_its_absence_too(kind: Kind, language: Language, yes: str, no: str) -> None:
    assert may_answer(yes, kind, language, "")
    assert not may_answer(no, kind, language, "")


def test_what_the_question_says_itself_is_no_answer() -> None:
    assert not may_answer("In 1973 prices rose.", "when", "en", "when did the oil crisis of 1973 end")
    assert not may_answer("1973年油价上涨。", "when", "zh", "1973年石油危机何时结束")


@pytest.mark.parametrize("kind", ["", "yes_no"])
def test_where_nothing_is_asked_nothing_answers(kind: Kind) -> None:
    assert not may_answer("2000年，王先生在西安。", kind, "zh", "")


@pytest.mark.parametrize(
    ("text", "language", "one"),
    [
        ("用哪个库？", "zh", True),
        ("誰發明了電話？", "zh", True),
        ("有多少学生？", "zh", True),
        ("何时合并？", "zh", True),
        ("什么是精排？", "zh", False),
        ("为什么合并？", "zh", False),
        ("哪几个学校合并？", "zh", False),
        ("Which library is it?", "en", True),
        ("When was it merged?", "en", True),
        ("Why was it merged?", "en", False),
        ("What are the steps?", "en", False),
        ("西安的天气", "zh", False),
    ],
)
def test_one_thing_is_asked_for_or_a_clause_or_a_list(text: str, language: Language, one: bool) -> None:
    assert asks_for_one(fold(text), language) == one


@pytest.mark.parametrize(
    ("text", "language", "noun"),
    [
        ("用哪个量化库？", "zh", "量化"),
        ("这是什麼项目", "zh", "项目"),
        ("谁？", "zh", ""),
        ("Which open source project is it?", "en", "project"),
        ("What is it?", "en", ""),
        ("Who?", "en", ""),
    ],
)
def test_the_noun_that_is_asked_for_is_found(text: str, language: Language, noun: str) -> None:
    assert asked_noun(fold(text), language) == noun
