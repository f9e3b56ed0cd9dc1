"""Which of a few likely spans answers: what the words say beside what a model finds probable."""

import pytest

from secondpass.text.answer_spans import LikelySpan, choose_span
from secondpass.types import Span


def chosen(question, text, likely, as_read=""):
    spans = [LikelySpan(Span(text.index(one), text.index(one) + len(one)), share) for one, share in likely.items()]
    found = choose_span(question, text, spans, as_read)
    return text[found.span.start : found.span.end], found.probability


@pytest.mark.parametrize(
    ("question", "text", "likely", "right"),
    [
        # Not the question's own words again, where one thing is asked for.
        (
            "Who founded the Ming dynasty?", "The Ming dynasty was founded by Zhu Yuanzhang.",
            {"Ming dynasty": 0.6, "Zhu Yuanzhang": 0.3}, "Zhu Yuanzhang",
        ),
        ("明朝由谁建立？", "明朝由朱元璋建立。", {"明朝": 0.6, "朱元璋": 0.3}, "朱元璋"),
        ("誰建立了明朝？", "明朝由朱元璋建立。", {"明朝": 0.6, "朱元璋": 0.3}, "朱元璋"),
        # No clause after a comma.
        (
            "何时合并？", "两校于2000年4月合并，组建新的大学。",
            {"2000年4月合并，组建新的大学": 0.5, "2000年4月": 0.3}, "2000年4月",
        ),
        (
            "When did they merge?", "They merged in April 2000, when it was spring.",
            {"April 2000, when it was spring": 0.5, "April 2000": 0.3}, "April 2000",
        ),
        # A mark behind it.
        ("它有多长？", "它长3公里，宽2公里。", {"3公": 0.4, "3公里": 0.3}, "3公里"),
        # A sentence that speaks of what was asked.
        (
            "What is the capital of France?", "Berlin is a capital, too. The capital of France, Paris, is large.",
            {"Berlin": 0.5, "Paris": 0.4}, "Paris",
        ),
        # What is said to be one of what was asked for.
        ("用的是哪个量化库？", "甲工具很快。乙工具是一种量化库。", {"甲工具": 0.5, "乙工具": 0.4}, "乙工具"),
        (
            "Which library is used?", "Numbers come from Alpha, and Beta is a small library.",
            {"Alpha": 0.5, "Beta": 0.2}, "Beta",
        ),
        # One of several things that are counted, where they are asked for.
        (
            "Which two schools were merged?", "2000年将甲大学、乙学院两校合并为丙大学。",
            {"丙大学": 0.5, "乙学院": 0.4}, "乙学院",
        ),
    ],
)  # fmt: skip
def test_the_words_of_question_and_text_choose_between_likely_spans(question, text, likely, right):
    assert chosen(question, text, likely)[0] == right


@pytest.mark.parametrize(
    ("question", "text", "likely"),
    [
        ("明朝由谁建立？", "明朝由朱元璋建立。", {"朱元璋": 0.9, "明朝": 0.05}),
        (
            "为什么建立明朝？",
            "为了推翻元朝，建立了明朝。",
            {"推翻元朝，建立了明朝": 0.6, "推翻元朝": 0.2},
        ),  # a clause is asked for
        ("Why did it fail?", "It failed, since it was late, and cold.", {"it was late, and cold": 0.6, "cold": 0.2}),
    ],
)
def test_what_the_model_is_sure_of_stays(question, text, likely):
    assert chosen(question, text, likely)[0] == next(iter(likely))


def test_the_probability_of_the_likely_spans_is_shared_out_anew():
    likely = {"明朝": 0.6, "朱元璋": 0.3}
    _, first = chosen("明朝由谁建立？", "明朝由朱元璋建立。", likely)
    assert 0.3 < first < 0.9
    assert chosen("明朝由谁建立？", "明朝由朱元璋建立。", {"朱元璋": 0.3}) == ("朱元璋", pytest.approx(0.3))


def test_a_name_counts_as_it_was_read_and_the_kind_as_it_was_asked():
    text = "西安交通大学由盛宣怀创办。"
    likely = {"西安交通大学": 0.7, "盛宣怀": 0.2}
    question = "Who founded Xi'an Jiaotong University?"
    assert chosen(question, text, likely)[0] == "西安交通大学"
    assert chosen(question, text, likely, "Who founded 西安交通 University?")[0] == "盛宣怀"


@pytest.mark.parametrize("question", ["", "？", "\ud800", "why\x00", "谁" * 3000])
def test_any_question_and_any_text_give_one_of_the_spans(question):
    for text in ("甲", "\ud800乙", "a" * 2000, "。。。\n\n"):
        spans = [LikelySpan(Span(0, 1), 0.0), LikelySpan(Span(0, len(text)), 0.5)]
        assert choose_span(question, text, spans).span in {one.span for one in spans}
