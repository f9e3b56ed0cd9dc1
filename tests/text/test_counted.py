"""A number is shown with what it counts, where the question names that."""

import pytest

from secondpass.text.counted import with_what_is_counted
from secondpass.types import Span


@pytest.mark.parametrize(
    ("question", "text", "number", "shown"),
    [
        ("有多少个学生社团？", "有156个学生社团，活动丰富。", "156个", "156个学生社团"),
        ("有多少学生社团？", "有156个学生社团。", "156个", "156个学生社团"),
        ("共有幾所學校合併？", "共有三所學校合併。", "三所", "三所學校合併"),
        ("伊丽莎白港机场有几条跑道？", "机场有三条跑道。", "三条", "三条跑道"),
        ("现在有几条巴士路线以兆康苑为总站？", "有3条巴士路线以此为总站。", "3条", "3条巴士路线"),
        ("In how many countries did Tesla hold patents?", "He had patents in 26 countries.", "26", "26 countries"),
        ("How many student societies are there?", "There are 156 student societies.", "156", "156 student societies"),
        ("How many dogs?", "There are Two dogs.", "Two", "Two dogs"),
        # What the question does not name, or names elsewhere, stays away.
        ("有多少名观众？", "容纳476个座位。", "476个", "476个"),
        ("斥资多少钱收购？", "斥资77亿美元收购。", "77亿美元", "77亿美元"),
        ("多少分钟内不得配对？", "4分钟内不得配对。", "4分钟", "4分钟"),
        ("何时有学生社团？", "2000年学生社团成立。", "2000年", "2000年"),
        ("How many dogs?", "There are 5 dogsled teams.", "5", "5"),
        ("How long is it?", "It is 5 miles long.", "5", "5"),
        ("How many women work?", "Few women work.", "Few", "Few"),
        ("How many are there?", "There are 5 are.", "5", "5"),
    ],
)
def test_what_is_shown_of_a_number(question, text, number, shown):
    start = text.index(number)
    found = with_what_is_counted(question, text, Span(start, start + len(number)))
    assert text[found.start : found.end] == shown


def test_nothing_is_shown_of_nothing():
    for text in ("", "5", "\ud800"):
        assert with_what_is_counted("多少个", text, Span(0, len(text))) == Span(0, len(text))
