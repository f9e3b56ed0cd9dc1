from secondpass.answer.question import read_question


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
