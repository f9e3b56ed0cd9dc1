"""Names in pinyin and in characters are the same names."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secondpass.text.spelled_names import respelled

CHINESE = "2000年将西安交通大学、陕西财经学院合并。马云与王安石在北京见面，吕布在长沙。我们的女人。"
TRADITIONAL = "陝西與廣東的銀行"
ENGLISH = "Xi'an Jiaotong University and Shaanxi College. Ma Yun met Wang Anshi in Beijing; women of Chongqing, Lü Bu."


@pytest.mark.parametrize(
    ("question", "passage", "read"),
    [
        ("Is Xi'an Jiaotong University old?", CHINESE, "Is 西安交通 University old?"),
        ("is xian jiaotong university old", CHINESE, "is 西安交通 university old"),
        ("Where did Ma Yun see Wang Anshi?", CHINESE, "Where did 马云 see 王安石?"),
        ("Was Wang Mang in Beijing?", CHINESE, "Was Wang Mang in 北京?"),
        ("Was Lü Bu there? Was Lu Bu?", CHINESE, "Was 吕布 there? Was 吕布?"),
        ("banks of Guangdong and of Shaanxi", TRADITIONAL, "banks of 廣東 and of 陝西"),
        ("西安交通大学在哪？", ENGLISH, "Xi'an Jiaotong大学在哪？"),
        ("馬雲在北京見了誰？", ENGLISH, "Ma Yun在Beijing見了誰？"),
        ("重庆和陕西", ENGLISH, "Chongqing和Shaanxi"),
    ],
)
def test_a_name_is_read_as_the_passage_writes_it(question, passage, read):
    assert respelled(question, passage) == read


@pytest.mark.parametrize(
    ("question", "passage"),
    [
        ("How many women can change?", CHINESE),  # 我们: words before they are names
        ("我们是谁？", ENGLISH),
        ("Is Nanjing large?", CHINESE),  # not there
        ("Is Beijing large?", "北京（Beijing）很大。"),  # there in the question's own writing
        ("北京大吗？", "Beijing (北京) is large."),
        ("Is it Wang?", "王先生。"),  # one syllable is no name
        ("Which password hashing algorithm?", CHINESE),
        ("Is Beijing large?", "It is."),
        ("", CHINESE),
        ("Beijing " * 500, CHINESE),  # no question
    ],
)
def test_what_is_no_name_of_the_passage_stays(question, passage):
    assert respelled(question, passage) == question


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet="xian jiaotongbe'-西安交通北京長，。\n\ud800İß", max_size=60), st.text(max_size=80))
def test_any_texts_are_taken(question, passage):
    assert isinstance(respelled(question, passage), str)
    assert isinstance(respelled(passage, question), str)


@pytest.mark.parametrize("letters", ["an" * 400, "anan " * 190, "x" * 999, "安" * 999, "重" * 300])
def test_no_question_takes_long(letters):
    start = time.process_time()
    for passage in ("安" * 5000, "an" * 5000, "Anan " * 2000):
        respelled(letters, passage)
    assert time.process_time() - start < 20  # seconds; what tries every way of reading would take years
