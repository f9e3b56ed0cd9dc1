"""What chat models say about passages, and what is made of it."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secondpass.rerank.ranking_replies import Reading, read_grade, read_label, read_ranking

CLEAN = [
    ("[2] > [1] > [3]", [2, 1, 3]),
    ("Here is the ranking of the 3 passages: [2] > [1] > [3]", [2, 1, 3]),
    ("这3个段落的排序如下：[2] > [1] > [3]", [2, 1, 3]),
    ("<think>Passage 3 looks good. [3] > [1]</think>[1] > [2] > [3]", [1, 2, 3]),
    ("先看[3]，再看[2]。</think>\n[2] > [1] > [3]", [2, 1, 3]),
    ("<THINKING>[1]</THINKING>\n[3] > [2] > [1]", [3, 2, 1]),
    ("[3]，[1]、[2]", [3, 1, 2]),
    ("【２】＞【１】＞【３】", [2, 1, 3]),
    ("② ≻ ① ≻ ③", [2, 1, 3]),
    ("❷, ➀, ⑶", [2, 1, 3]),
    ("[²] > [₁] > [³]", [2, 1, 3]),
    ("二、一、三", [2, 1, 3]),
    ("第二段 > 第一段 > 第三段", [2, 1, 3]),
    ("[二] > [一] > [三]", [2, 1, 3]),
    ("第三段最相关，其次是第一段，最后是第二段。一共三段。", [3, 1, 2]),
    ("第二段、①、[3]", [2, 1, 3]),
    ("2 > 1 > 3", [2, 1, 3]),
    ("2, 1, 3", [2, 1, 3]),
    ("2 1 3", [2, 1, 3]),
    ("2\n1\n3", [2, 1, 3]),
    ("(2) > (1) > (3)", [2, 1, 3]),
    ("Here are the 3 passages ranked: 2 > 1 > 3", [2, 1, 3]),
    ("2 is best, then 1 and 3.", [2, 1, 3]),
    ("1. [3]\n2. [1]\n3. [2]", [3, 1, 2]),
    ("1. Passage 3\n2. Passage 1\n3. Passage 2", [3, 1, 2]),
    ("1、段落3\n2、段落1\n3、段落2", [3, 1, 2]),
    ("- [3]\n- [1]\n- [2]", [3, 1, 2]),
    ("[3] - about foo\n[1] - about bar\n[2] nothing", [3, 1, 2]),
    ("Passage [1] is on X, [2] is off topic. Final ranking: [3] > [1] > [2]", [3, 1, 2]),
    ("最终排序：[2] > [3] > [1]（共3段）", [2, 3, 1]),
    ("**[2]** > **[1]** > **[3]**", [2, 1, 3]),
    ("[Passage 2] > [Passage 1] > [Passage 3]", [2, 1, 3]),
    ("[2] - [1] - [3]", [2, 1, 3]),
    ("[2, 1, 3]", [2, 1, 3]),
    ("[2 > 1 > 3]", [2, 1, 3]),
    ("[3], [1]-[2]", [3, 1, 2]),
    ("[3] > [1]至[2]", [3, 1, 2]),
    ("[3-1]", [3, 2, 1]),
    ("3 > 1-2", [3, 1, 2]),
]
STRUCTURED = [
    ('{"ranking": [3, 1, 2]}', [3, 1, 2]),
    ('```json\n{"ranking": ["[3]", "１", 2]}\n```', [3, 1, 2]),
    ('好的。{"排序": [3, 1, 2]} 如上 [1]。', [3, 1, 2]),
    ('{"why": "[1] is off topic", "ranking": [{"id": 3}, {"id": 1}, {"id": 2}]}', [3, 1, 2]),
    ('<think>{"ranking": [1]}</think>{"ranking": [3, 1, 2]}', [3, 1, 2]),
]
REPAIRED = [
    ("③ > ①", [3, 1, 2]),
    ("[2]", [2, 1, 3]),
    ("[1] > [1] > [9] > [2]", [1, 2, 3]),
    ("[0] > [3] > [2]", [3, 2, 1]),
    ("The most relevant passage is 2.", [2, 1, 3]),
    ('{"ranking": [3, 3, 17]}', [3, 1, 2]),
    ("[2] > [1] > [3] > [999999]", [2, 1, 3]),
    ("[2]-[999999999999]", [2, 1, 3]),
]
FALLBACK = [
    "",
    "   ",
    "I am sorry.",
    "抱歉，我无法排序。",
    "<think>[2] > [1]",
    "[]",
    "{}",
    '{"ranking": []}',
    "9" * 6000,
]


@pytest.mark.parametrize(("text", "order"), CLEAN)
def test_a_whole_ranking_is_read_in_any_writing(text: str, order: list[int]) -> None:
    reading = read_ranking(text, 3)
    assert [place + 1 for place in reading.value] == order
    assert reading.outcome == "clean"


@pytest.mark.parametrize(("text", "order"), STRUCTURED)
def test_json_is_read_first(text: str, order: list[int]) -> None:
    reading = read_ranking(text, 3)
    assert ([place + 1 for place in reading.value], reading.outcome, reading.structured) == (order, "clean", True)


@pytest.mark.parametrize(("text", "order"), REPAIRED)
def test_duplicates_and_strangers_are_dropped_and_the_missing_follow(text: str, order: list[int]) -> None:
    reading = read_ranking(text, 3)
    assert [place + 1 for place in reading.value] == order
    assert reading.outcome == "repaired"


@pytest.mark.parametrize("text", FALLBACK)
def test_a_reply_without_numbers_keeps_the_given_order(text: str) -> None:
    reading = read_ranking(text, 3)
    assert (reading.value, reading.outcome) == ((0, 1, 2), "fallback")


def test_a_range_runs_over_the_passages_there_are() -> None:
    assert read_ranking("[6] > [2]-[4]", 6).value == (5, 1, 2, 3, 0, 4)
    assert read_ranking("[5]到[2]", 6).value == (4, 3, 2, 1, 0, 5)
    assert read_ranking("第三段至第五段", 6).value == (2, 3, 4, 0, 1, 5)


numbers = st.integers(-3, 30).map(str) | st.sampled_from(
    [*"①②③⑳❶❿➀⓫²₃３十二三", "二十一", "第三段", "Passage 2", "段落４", "1.5", "99999999999"]
)
brackets = st.sampled_from(["[{}]", "[{}", "{}]", "【{}】", "［{}］", "({})", "（{}）", "{}", "<{}>", "**{}**", '"{}"'])
glue = st.sampled_from(
    [" > ", "＞", ", ", "，", "、", ";", "-", "–", " to ", "到", "...", "\n", "\n1. ", " ", "", " and "]
)
noise = st.text(max_size=12) | st.sampled_from(
    [
        "Here is the ranking of the 20 passages: ",
        "抱歉",
        "<think>",
        "</think>",
        "```json",
        "```",
        '{"ranking": ',
        "}",
        "الترتيب: ",
        "順位：",
        "Рейтинг: ",
        "\ud800",
        "\x00",
        "<|im_end|>",
        "null",
        "true",
        "\u202e",
        "[",
        "]",
    ]
)
hostile = st.lists(noise | glue | st.builds(lambda shape, number: shape.format(number), brackets, numbers), max_size=40)
replies = hostile.map("".join)


@settings(max_examples=2000, deadline=None)
@given(text=replies, count=st.integers(1, 25))
def test_two_thousand_hostile_replies_end_in_a_permutation(text: str, count: int) -> None:
    reading = read_ranking(text, count)
    assert sorted(reading.value) == list(range(count))
    assert reading.outcome in ("clean", "repaired", "fallback")
    if reading.outcome == "fallback":
        assert reading.value == tuple(range(count))


@settings(max_examples=500, deadline=None)
@given(text=replies, count=st.integers(2, 23))
def test_hostile_labels_and_grades_end_in_something_usable(text: str, count: int) -> None:
    label, grade = read_label(text, count), read_grade(text, 10)
    assert 0 <= label.value < count
    assert grade.value is None or 0 <= grade.value <= 10
    assert (grade.value is None) == (grade.outcome == "fallback")


@settings(max_examples=300, deadline=None)
@given(order=st.permutations(range(1, 21)), shape=st.sampled_from(["[{}]", "【{}】", "({})", "{}"]), text=st.data())
def test_a_written_order_is_read_back(order: list[int], shape: str, text: st.DataObject) -> None:
    between = text.draw(st.sampled_from([" > ", "＞", ", ", "，", "、", "\n"]))
    reading = read_ranking(between.join(shape.format(number) for number in order), 20)
    assert [place + 1 for place in reading.value] == order
    assert reading.outcome == "clean"


@pytest.mark.parametrize(
    "piece",
    [
        "[1] ",
        "1 ",
        "[1]-",
        "1. \n",
        "[[",
        " ",
        "\n",
        "> ",
        "[1",
        "{",
        "二、",
        "<think>",
        "passage ",
        "Passage A",
        "[1, ",
        "更最相关",
        "The answer is ",
        "段落A一二三四",
        "\n \n -",
        "9",
        "1.",
        "第",
        "*",
        "、、",
    ],
)
def test_an_endless_reply_is_read_at_once(piece: str) -> None:
    started = time.process_time()
    for count in (20, 2):
        read_ranking(piece * 20_000, count)
        read_label(piece * 20_000, count)
        read_grade(piece * 20_000, 10)
    assert time.process_time() - started < 2


LABELS = [
    ("B", 1, "clean"),
    ("Passage B", 1, "clean"),
    ("passage b.", 1, "clean"),
    ("**Ｂ**", 1, "clean"),
    ("[B]", 1, "clean"),
    ("段落 B", 1, "clean"),
    ("答案是B。", 1, "clean"),
    ("The answer is B", 1, "clean"),
    ('{"label": "B"}', 1, "clean"),
    ("<think>Passage A</think>B", 1, "clean"),
    ("Passage A is on X while Passage B answers it.\n\nPassage B", 1, "repaired"),
    ("Passage B is more relevant than Passage A.", 1, "repaired"),
    ("段落B比段落A更相关。", 1, "repaired"),
    ("更相关的是段落B，而不是段落A。", 1, "repaired"),
    ("The most relevant passage is Passage B because it names A.", 1, "repaired"),
    ("A passage about tea; I choose B.", 1, "repaired"),
    ("Passage A or Passage B", 0, "fallback"),
    ("both", 0, "fallback"),
    ("两个都相关", 0, "fallback"),
    ("", 0, "fallback"),
    ("Z", 0, "fallback"),
]


@pytest.mark.parametrize(("text", "place", "outcome"), LABELS)
def test_a_label_is_read_from_a_word_or_a_sentence(text: str, place: int, outcome: str) -> None:
    reading = read_label(text, 4)
    assert (reading.value, reading.outcome if "json" not in text else "clean") == (place, outcome)


def test_a_label_without_a_passage_is_no_choice() -> None:
    assert read_label("Passage D", 2).outcome == "fallback"
    assert read_label('{"label": "D"}', 2) == Reading(0, "fallback")


@pytest.mark.parametrize(
    "text",
    [
        '{"label": "B"}',
        '{"label": "b"}',
        '{"label": "Passage B"}',
        '{"label": "段落 Ｂ"}',
        '{"标签": "B"}',
        '```json\n{"label": "B"}\n```',
        '<think>{"label": "A"}</think> {"label": "B"}',
        '{"reason": "A", "label": "B"}',
        '{"most_relevant": "B"}',
    ],
)
def test_a_label_in_the_json_asked_for_is_clean_and_structured(text: str) -> None:
    assert read_label(text, 4) == Reading(1, "clean", structured=True)


@pytest.mark.parametrize("text", ['{"label": "..."}', '{"label": 2}', '{"label": null}', '{"a": "C", "b": "B"}', "{}"])
def test_json_that_names_no_label_or_several_is_no_choice(text: str) -> None:
    assert read_label(text, 4) == Reading(0, "fallback")


GRADES = [("7", 7), ("７", 7), ("7/10", 7), ("相关性：8", 8), ("9 out of 10", 9), ("八分", 8), ("0", 0), ("7.5", 7.5)]


@pytest.mark.parametrize(("text", "grade"), GRADES)
def test_a_grade_is_read_in_any_writing(text: str, grade: float) -> None:
    assert read_grade(text, 10).value == grade


@pytest.mark.parametrize("text", ["11", "-3", "very relevant", "很相关", ""])
def test_what_is_no_grade_is_none(text: str) -> None:
    assert read_grade(text, 10).value is None
