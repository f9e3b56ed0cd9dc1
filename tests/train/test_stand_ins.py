"""Examples whose answer is named in one sentence and stood for in the one that answers."""

from __future__ import annotations

import random

import pytest
from recipes.builtin.examples import holds
from recipes.builtin.sources import Question, QuestionSet, Section
from recipes.builtin.stand_ins import replaced_examples, told_examples

from secondpass.text.sentences import sentences

ENGLISH = (
    "Rivers are crossed by many bridges. Severn Bridge opened in 1966 near Bristol. It rained on that day. "
    "Severn Bridge carries four lanes of traffic."
)
CHINESE = "渡河有很多桥。南京长江大桥是一座桥。1968年，南京长江大桥建成通车。当天下雨。"
TRADITIONAL = "渡河有很多橋，當時還沒有車。茅以升設計了錢塘江大橋。"


def set_of(text: str, question: str, answer: str) -> QuestionSet:
    return QuestionSet("bridges", {"p": text}, [Question(question, ("p",), (answer,))])


@pytest.mark.parametrize(
    ("text", "question", "answer", "stands"),
    [
        (ENGLISH, "Which bridge carries four lanes of traffic?", "Severn Bridge", ("It ", "This bridge ")),
        (ENGLISH, "What opened in 1966 near Bristol?", "Severn Bridge", ("It ",)),
        (CHINESE, "1968年哪座桥建成通车？", "南京长江大桥", ("它", "其")),
        (TRADITIONAL, "誰設計了錢塘江大橋？", "茅以升", ("他", "她")),
    ],
)
def test_a_stand_in_is_said_where_the_question_is_answered_and_the_name_elsewhere(text, question, answer, stands):
    made = replaced_examples(set_of(text, question, answer), random.Random(3))
    assert made
    for example in made:
        [passage] = example.positives
        assert (example.kind, example.query, example.answers) == ("stand_in_bridges", question, (answer,))
        assert holds(passage, [answer])
        assert any(stand in passage for stand in stands)
        assert passage.count(answer) <= text.count(answer)
        assert passage not in text


@pytest.mark.parametrize(
    ("text", "question", "answer"),
    [
        (ENGLISH, "When did it open?", "1966"),  # nothing stands for a number
        (ENGLISH, "What did it do?", "rained"),  # no name
        ("The bridge was opened to the public by nobody at Severn Bridge.", "Where?", "Severn Bridge"),  # no subject
        (CHINESE, "天气如何？", "刮风"),  # not there
    ],
)
def test_what_nothing_can_stand_for_is_left_out(text, question, answer):
    assert replaced_examples(set_of(text, question, answer), random.Random(3)) == []


@pytest.mark.parametrize(
    ("code", "text", "subject", "words"),
    [
        (
            "en",
            "Gitea is a small git server. It keeps all repositories in a single folder of the disk.",
            "Gitea",
            "folder",
        ),
        ("zh", "Fluentd 是一个日志收集工具。它不是日志聚合系统，所以需要别的存储。", "Fluentd", "聚合系统"),
        ("zh", "上萊茵省是法國的一個省份。該省是法國最富裕的省份之一，失業率很低。", "上萊茵省", "富裕"),
    ],
)
def test_a_sentence_about_the_subject_becomes_a_question_for_it(code, text, subject, words):
    found = [one for seed in range(9) for one in told_examples([Section(code, "", (), text, "s")], random.Random(seed))]
    assert any(words in example.query for example in found)
    for example in found:
        assert example.answers == (subject,)
        assert example.positives[0] == text
        assert not holds(example.query, [subject])
        assert any(one in example.query for one in ("What", "Which", "什", "哪"))


@pytest.mark.parametrize(
    "text",
    [
        "这个工具是一个很好的工具。它使用自然语言处理的核心功能来完成工作。",  # nobody is named
        "Fluentd 是一个日志收集工具。很多人使用日志聚合系统来完成工作。",  # nothing stands for it
        "It is a small git server. It keeps all repositories in a single folder of the disk.",
        "Fluentd 是一个日志收集工具。",
        "",
    ],
)
def test_texts_that_name_nothing_or_go_on_about_something_else_give_nothing(text):
    sections = [Section(code, "", (), text, "s") for code in ("en", "zh")]
    assert told_examples([one for one in sections if sentences(text)], random.Random(1)) == []
