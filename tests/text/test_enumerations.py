"""A count of things is shown with the things it counts, to whoever asks which ones; and only then."""

import pytest

from secondpass.text.enumerations import with_things_counted
from secondpass.types import Span


def extended(question, text, count):
    start = text.index(count)
    found = with_things_counted(question, text, Span(start, start + len(count)))
    return text[found.start : found.end]


@pytest.mark.parametrize(
    ("question", "text", "count", "things"),
    [
        ("由哪几个学校组成？", "国务院决定将甲大学、乙学院、丙学院三校合并。", "三校", "甲大学、乙学院、丙学院三校"),
        ("有哪些民族？", "2000年，汉族、回族与藏族3个民族住在这里。", "3个民族", "汉族、回族与藏族3个民族"),
        ("哪两位作者写了它？", "它由王明和李华两人写成。", "两人", "王明和李华两人"),
        ("由哪几個學校組成？", "決定將甲大學、乙學院兩校合併。", "兩校", "甲大學、乙學院兩校"),
        ("Which two schools were merged?", "把甲大学、乙学院二校合并。", "二校", "甲大学、乙学院二校"),
        ("哪两国？", "以色列、埃及两国签了约。", "两国", "以色列、埃及两国"),
        ("哪两家？", "华为、中兴两家在场。", "两家", "华为、中兴两家"),
        ("哪两家？", "订约的是甲有限公司、乙有限公司两家。", "两家", "甲有限公司、乙有限公司两家"),
        ("哪两校？", "自由大学、将军学院两校合并。", "两校", "自由大学、将军学院两校"),
        ("哪两校？", "分别为甲大学、乙大学两校。", "两校", "甲大学、乙大学两校"),
        ("有哪些颜色？", "颜色有红，黄，蓝三种。", "三种", "红，黄，蓝三种"),
    ],
)
def test_who_asks_which_ones_is_shown_them(question, text, count, things):
    assert extended(question, text, count) == things


@pytest.mark.parametrize("thing", ["甲大学", "乙学院", "乙学院、丙学院"])
def test_one_of_the_things_stands_for_all_that_are_counted(thing):
    text = "2000年将甲大学、乙学院、丙学院三校合并。"
    assert extended("Which three schools were merged?", text, thing) == "甲大学、乙学院、丙学院"


@pytest.mark.parametrize(
    ("question", "text", "count"),
    [
        ("有几所学校合并？", "将甲大学、乙学院、丙学院三校合并。", "三校"),  # how many: the count is the answer
        ("由哪几个学校组成？", "将甲大学、乙学院三校合并。", "三校"),  # two are named, not three
        ("由哪几个学校组成？", "将三校合并。甲大学、乙学院、丙学院。", "三校"),
        ("由哪几个学校组成？", "甲大学、乙学院、丙学院。三校合并。", "三校"),
        ("由哪几个学校组成？", "将甲大学、乙学院、丙学院合并。", "甲大学"),  # no count
        ("由哪几个学校组成？", "将甲大学、乙学院、丙学院三校合并，组建丁大学。", "丁大学"),  # none of the three
        ("由哪个学校组成？", "将甲大学、乙学院、丙学院三校合并。", "甲大学"),  # one is asked for
        ("由哪几个学校组成？", "将、、三校合并。", "三校"),
    ],
)
def test_elsewhere_the_span_stays(question, text, count):
    assert extended(question, text, count) == count


def test_a_count_far_from_anything_costs_nothing():
    text = "甲、" * 100_000 + "三校"
    assert extended("由哪几个学校组成？", text, "三校") == "三校"
