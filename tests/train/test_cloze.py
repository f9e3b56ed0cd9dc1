"""Spans that are taken out of a text and asked for stand in the passages that are shown for them."""

from __future__ import annotations

import random

import pytest
from recipes.builtin.cloze import cloze_examples
from recipes.builtin.examples import Example, holds
from recipes.builtin.sources import Section

from secondpass.text.sentences import sentences

ENGLISH = (
    "The Humber Bridge near Kingston upon Hull was the longest suspension bridge in the world when it opened in 1981. "
    "Engineers had argued about the foundations of the southern tower for almost seven years before work began. "
    "The southern tower stands in the water, and its foundations were sunk into a bed of stiff fissured clay. ",
    "A ferry had carried passengers across the Humber estuary between the two towns since the middle of the century. "
    "The last paddle steamer of the ferry, Lincoln Castle, was taken out of service because her boiler was worn. "
    "Traffic on the suspension bridge was far lighter than the planners had hoped, and tolls paid only the interest. ",
    "Barnes Wallis said nothing about the bridge, but his wind tunnel was used by the engineers for their models. "
    "Tests in the wind tunnel showed that a slender deck shaped like a wing needs 40 percent less steel than a truss. "
    "The engineers of the Humber Bridge had used such a slender deck before, for the Severn crossing near Bristol. ",
)
CHINESE = (
    "西安交通大学前身是1896年创建于上海的南洋公学，1921年改称交通大学。1956年国务院决定交通大学内迁西安，"
    "师生们乘坐专列沿陇海铁路前往古都。内迁的教授包括热能工程专家陈大燮和电机专家钟兆琳。",
    "钟兆琳教授创办了中国第一个电机专业，他的学生遍布全国的电机工厂。内迁西安那年，电机专家钟兆琳把妻子留在了上海。"
    "他说上海的房子交给国家，自己孤身一人在西北建成了电机系的实验室。",
    "陈大燮教授捐出了全部积蓄三万元作为奖学金，鼓励热能工程专业的学生。实验室的第一台锅炉由陈大燮亲自设计，"
    "安装在学校东侧的热工楼。锅炉一直用到1985年，如今陈列于《西迁博物馆》的大厅。",
)
TEXTS = {"en": ENGLISH, "zh": CHINESE}


def made(code: str, seed: int = 5) -> list[Example]:
    sections = [Section(code, "a page", (), text, "bridges") for text in TEXTS[code]]
    return cloze_examples(sections, 40, random.Random(seed))


@pytest.mark.parametrize("code", ["en", "zh"])
def test_the_answer_stands_in_the_passage_alone(code: str) -> None:
    examples = made(code)
    assert 20 < len(examples) <= 40
    for example in examples:
        assert example.kind == "cloze_bridges"
        assert holds(example.positives[0], example.answers)
        assert not holds(example.query, example.answers)
        assert not any(holds(text, example.answers) for text in example.negatives)
    assert sum(len(example.negatives) for example in examples) > len(examples)


@pytest.mark.parametrize("code", ["en", "zh"])
def test_a_question_is_no_sentence_of_its_passage(code: str) -> None:
    for example in made(code):
        text = example.positives[0]
        assert example.query not in {text[span.start : span.end] for span in sentences(text)}
        assert len(example.query) < 200


@pytest.mark.parametrize("code", ["en", "zh"])
def test_what_asks_fits_what_is_asked_for(code: str) -> None:
    asks = {"en": {"1981": ("when", "year"), "40 percent": ("percent", "much")}, "zh": {"1985年": ("时", "年")}}[code]
    found = [example for seed in range(6) for example in made(code, seed) if example.answers[0] in asks]
    assert found
    assert all(any(ask in one.query.lower() for ask in asks[one.answers[0]]) for one in found)


@pytest.mark.parametrize("code", ["en", "zh"])
def test_spans_are_asked_for_from_another_window_too(code: str) -> None:
    examples = [example for seed in range(6) for example in made(code, seed)]
    span, passage = {"en": ("bridge", ENGLISH[1]), "zh": ("钟兆琳", CHINESE[0])}[code]
    assert any(span in one.answers[0] and one.positives[0] in passage for one in examples)


def test_the_same_draw_gives_the_same() -> None:
    assert made("zh", 3) == made("zh", 3) != made("zh", 4)


def test_code_and_tables_are_left_out() -> None:
    text = "| name | value |\n| --- | --- |\n| limit_count = 3; | `get_limit()` |\n" * 5
    sections = [Section("en", "a page", (), text, "tables")]
    assert not cloze_examples(sections, 40, random.Random(5))


def test_traditional_characters_are_asked_for_in_such() -> None:
    text = "國際聯盟成立於1920年的日內瓦，當時有42個創始會員國參加。後來聯盟的總部設在萬國宮，由瑞士建築師設計。"
    examples = cloze_examples([Section("zh", "", (), text, "leagues")], 20, random.Random(5))
    assert examples
    assert not any(mark in example.query for example in examples for mark in "么谁时个里")
