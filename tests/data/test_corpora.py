"""Passages and questions by their ids."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from secondpass.data.corpora import Query, read_corpus, read_queries, read_questions
from secondpass.errors import InputError
from secondpass.types import Chunk


def write(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_questions_are_read_in_both_forms(tmp_path: Path) -> None:
    assert read_questions(write(tmp_path / "q.jsonl", '{"_id": "1", "text": "西安？"}\n{"id": 2, "text": "b"}')) == {
        "1": "西安？",
        "2": "b",
    }
    assert read_questions(write(tmp_path / "q.tsv", "1\t西安？\n")) == {"1": "西安？"}


def test_split_and_answers_come_with_a_question(tmp_path: Path) -> None:
    path = write(
        tmp_path / "q.jsonl",
        '{"_id": "1", "text": "几个？", "split": "dev", "answers": ["三个", "三"]}\n'
        '{"_id": "2", "text": "where", "split": null, "answers": "Xi\'an"}\n',
    )
    assert list(read_queries(path)) == [
        Query("1", "几个？", "dev", ("三个", "三")),
        Query("2", "where", "", ("Xi'an",)),
    ]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("no tab", r"accepted are .* or id<TAB>text"),
        ("{", "no JSON"),
        ('{"text": "x"}', 'no "_id"'),
        ('{"_id": true, "text": "x"}', 'no "_id"'),
        ('{"_id": "2", "question": "x"}', 'no "text"'),
        ('{"_id": "2", "text": "x", "split": 3}', '"split" is a int'),
        ('{"_id": "2", "text": "x", "answers": [1]}', '"answers" must be a text or a list of texts'),
        ('{"_id": "甲", "text": "again"}', "'甲' stood in line 1"),
    ],
)
def test_a_question_that_cannot_be_used_is_named_by_its_line(tmp_path: Path, line: str, said: str) -> None:
    path = write(tmp_path / "q.jsonl", '{"_id": "甲", "text": "第一"}\n' + line + "\n")
    with pytest.raises(InputError, match=rf"q\.jsonl:2: .*{said}"):
        list(read_queries(path))


def test_only_the_wanted_passages_are_kept(tmp_path: Path) -> None:
    path = write(tmp_path / "c.jsonl", '{"_id": "a", "text": "甲", "title": "题"}\n{"_id": "b", "text": "乙"}\n')
    assert read_corpus(path, {"a", "c"}) == {"a": Chunk("a", "甲", "a", 0, 1, title="题")}
    assert list(read_corpus(path)) == ["a", "b"]


def test_a_title_stands_before_the_text_or_beside_it(tmp_path: Path) -> None:
    path = str(tmp_path / "c.jsonl.gz")
    with gzip.open(path, "wt", encoding="utf-8") as stream:
        stream.write('{"_id": "a", "title": "西安", "text": "城市"}\n{"_id": "b", "title": "", "text": "x"}\n')
    joined = read_corpus(path, titles="joined")
    assert [(chunk.title, chunk.text, chunk.end) for chunk in joined.values()] == [("", "西安 城市", 5), ("", "x", 1)]
    apart = read_corpus(path, titles="apart")
    assert [(chunk.title, chunk.text) for chunk in apart.values()] == [("西安", "城市"), ("", "x")]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"text": "x"}', 'no "_id"'),
        ('{"_id": "b"}', 'no "text"'),
        ('{"_id": "b", "text": "x", "title": ["t"]}', '"title" is a list'),
        ('{"_id": "甲", "text": "另一段"}', "'甲' stands twice"),
        ("[]", "JSON list"),
    ],
)
def test_a_passage_that_cannot_be_used_is_named_by_its_line(tmp_path: Path, line: str, said: str) -> None:
    path = write(tmp_path / "c.jsonl", '{"_id": "甲", "text": "一段"}\n' + line)
    with pytest.raises(InputError, match=rf"c\.jsonl:2: .*{said}"):
        read_corpus(path)


def test_the_same_passage_twice_is_one(tmp_path: Path) -> None:
    assert len(read_corpus(write(tmp_path / "c.jsonl", '{"_id": "甲", "text": "一段"}\n' * 2))) == 1


def test_another_encoding_is_named_by_its_line(tmp_path: Path) -> None:
    (tmp_path / "c.jsonl").write_bytes('{"_id": "a", "text": "甲"}\n'.encode("gb18030"))
    with pytest.raises(InputError, match=r"c\.jsonl:1: the file is not UTF-8"):
        read_corpus(str(tmp_path / "c.jsonl"))
