import pytest

from secondpass.answer.question import kind_of, read_question
from secondpass.types import Language


@pytest.mark.parametrize(
    ("text", "code", "kind"),
    [
        ("西安交大由哪几个学校合并的", "zh", "list"),
        ("西安交大有多少个学生社团？", "zh", "count"),
        ("誰發明了電話？", "zh", "who"),
        ("該校於何時成立？", "zh", "when"),
        ("總部位於哪個城市？", "zh", "where"),
        ("为什么天空是蓝色的", "zh", "why"),
        ("怎麼樣安裝？", "zh", "how"),
        ("艾伦•图灵的论文叫什么", "zh", "what"),
        ("支持中文吗？", "zh", "yes_no"),
        ("Who wrote it?", "en", "who"),
        ("In what year did it open?", "en", "when"),
        ("How many seconds do browsers cache it?", "en", "count"),
        ("In which city is it?", "en", "where"),
        ("Why is it slow?", "en", "why"),
        ("Which three schools were merged?", "en", "list"),
        ("Does it support Chinese?", "en", "yes_no"),
        ("Which algorithm is recommended?", "en", "what"),
    ],
)
def test_the_kind_of_a_question_is_read(text: str, code: Language, kind: str) -> None:
    assert kind_of(text, code) == kind


def test_words_of_asking_are_not_looked_for() -> None:
    weights = read_question("西安交大由哪几个学校合并的").weights
    assert set(weights) == {"西安", "安交", "交大", "学校", "校合", "合并"}


def test_pairs_that_straddle_two_words_weigh_little() -> None:
    weights = read_question("推荐哪种密码哈希算法？").weights
    assert weights["码哈"] < weights["密码"] / 2
    assert weights["希算"] < weights["算法"]


def test_traditional_characters_ask_the_same_as_simplified_ones() -> None:
    assert read_question("該校有多少個學生社團？").weights == read_question("该校有多少个学生社团？").weights


def test_latin_words_of_a_chinese_question_are_names() -> None:
    assert read_question("浏览器缓存 CORS 响应多少秒").names == {"cor"}
    assert read_question("When did Alan Turing publish it?").names == {"alan", "ture"}


def test_a_question_of_function_words_alone_still_asks_something() -> None:
    assert read_question("是什么？").weights
    assert read_question("What is it?").weights
