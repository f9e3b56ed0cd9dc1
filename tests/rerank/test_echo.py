"""Passages that repeat the question: what is left out, what is not, and that words then say what the rest says."""

from __future__ import annotations

import pytest

from secondpass.rerank.blend import ECHOED, word_log_odds
from secondpass.rerank.echo import without_echo
from secondpass.rerank.lexical import LexicalReranker
from secondpass.types import Chunk

CHINESE, ENGLISH = "西安交大在哪个城市？", "When was the bridge built?"


@pytest.mark.parametrize(
    ("query", "passage", "rest"),
    [
        (CHINESE, "西安交大在哪个城市？北京大学在北京。", "北京大学在北京。"),
        (CHINESE, "问：西安交大在哪个城市?\n答:在西安。", "问：\n答:在西安。"),
        (CHINESE, "西安交大在哪个城市西安交大在哪个城市？ 北京大学在北京。", "北京大学在北京。"),
        (ENGLISH, "When was the bridge built? It is long.", "It is long."),
        (ENGLISH, "## when was the  bridge built\n\nIn 1932.", "## \n\nIn 1932."),
        (ENGLISH, "It is long. WHEN WAS THE BRIDGE BUILT?", "It is long."),
    ],
)
def test_a_question_that_is_repeated_is_left_out(query: str, passage: str, rest: str) -> None:
    assert without_echo(query, passage) == rest


@pytest.mark.parametrize(
    ("query", "passage"),
    [
        (CHINESE, "西安交大在哪个城市？"),
        (CHINESE, "西安交大在哪个城市？西安交大在哪个城市！"),
        (ENGLISH, "When was the bridge built? ..."),
        (ENGLISH, "When was the bridge builtin?"),
        (ENGLISH, "When the bridge was built, nobody knew."),
        ("信息检索的第二阶段", "信息检索的第二阶段是重排。"),
        ("second stage of information retrieval", "The second stage of information retrieval is reranking."),
        ("多少钱", "多少钱都不卖。"),
        ("", "Nothing is asked."),
        ("？？", "？？ 没有问题。"),
        ("(.*)+ what is [a-z?", "what is [a-z? (.*)+"),
    ],
)
def test_the_question_alone_topics_and_short_or_other_words_stay(query: str, passage: str) -> None:
    assert without_echo(query, passage) == passage


@pytest.mark.parametrize("query", [CHINESE, ENGLISH])
def test_words_count_what_else_is_said_three_times_what_the_repetition_brings(query: str) -> None:
    wrong = {CHINESE: "北京大学在北京。", ENGLISH: "The bakery opens at seven in the morning."}[query]
    repeated = f"{query} {wrong}"
    words = LexicalReranker()
    plain, whole = word_log_odds(words, query, [wrong])[0], _counted(words, query, repeated)
    assert whole > plain
    assert word_log_odds(words, query, [wrong, repeated, query])[1] == pytest.approx(
        ECHOED * whole + (1 - ECHOED) * plain, abs=1e-5
    )
    assert word_log_odds(words, query, [query]) == pytest.approx([_counted(words, query, query)], abs=1e-5)


def _counted(words: LexicalReranker, query: str, passage: str) -> float:
    return float(words.score(query, [Chunk("0", passage)])[0])
