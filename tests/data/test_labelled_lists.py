"""Files of labelled lists."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from secondpass.data.collections import ReadOptions, read_task
from secondpass.data.tasks import Candidate
from secondpass.errors import InputError


def write(path: Path, *records: dict[str, Any] | str) -> Path:
    lines = (record if isinstance(record, str) else json.dumps(record, ensure_ascii=False) for record in records)
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return path


def passage(text: str, relevance: int, **more: Any) -> dict[str, Any]:
    return {"text": text, "relevance": relevance} | more


def test_graded_lists_keep_their_order_ids_and_grades(tmp_path: Path) -> None:
    first = {
        "id": "问1",
        "query": "西安？",
        "passages": [passage("北京。", 0, id=7), passage("西安。", 2, id="甲", title="城市")],
    }
    second = {"query": "b", "passages": [{"text": "y", "label": 1}, {"text": "西安。", "label": 0}], "answers": "why"}
    task = read_task(write(tmp_path / "mine.jsonl", first, second))
    assert (task.name, task.first_stage) == ("mine", "")
    assert task.queries == {"问1": "西安？", "2": "b"}
    assert task.candidates["问1"] == (Candidate("7"), Candidate("甲"))
    assert task.qrels["问1"] == {"7": 0, "甲": 2}
    assert task.passages["甲"].text == "城市 西安。"
    assert task.answers == {"2": ("why",)}
    assert list(task.qrels["2"].values()) == [1, 0]


def test_scores_put_a_list_in_order_and_equal_ones_keep_theirs(tmp_path: Path) -> None:
    scored = [passage("甲", 0, id="a", score=1), passage("乙", 1, id="b", score=2.5), passage("丙", 0, id="c", score=1)]
    task = read_task(write(tmp_path / "m.jsonl", {"query": "q", "passages": scored}), options=ReadOptions(top_k=2))
    assert task.first_stage == "given"
    assert task.candidates["1"] == (Candidate("b", 2.5), Candidate("a", 1.0))


def test_scores_of_some_passages_only_are_refused(tmp_path: Path) -> None:
    path = write(
        tmp_path / "m.jsonl",
        {"query": "q", "passages": [passage("甲", 1, score=1)]},
        {"query": "r", "passages": [passage("乙", 1)]},
    )
    with pytest.raises(InputError, match=r"m\.jsonl:2: a passage without a score, while one at .*m\.jsonl:1"):
        read_task(path)


def test_positives_are_not_favoured_by_their_place(tmp_path: Path) -> None:
    lists = [
        {"query": f"问{n}", "positive": [f"正{n}-{i}" for i in range(4)], "negative": [f"负{n}-{i}" for i in range(4)]}
        for n in range(60)
    ]
    task = read_task(write(tmp_path / "m.jsonl", *lists))
    assert task.first_stage == ""
    first_half = [
        task.qrels[query_id][candidate.doc_id]
        for query_id, candidates in task.candidates.items()
        for candidate in candidates[:4]
    ]
    assert 100 < sum(first_half) < 140  # 240 places, half of them for positives
    by_name = [sorted(grades)[-1] for grades in task.qrels.values()]
    won = sum(task.qrels[query_id][name] for query_id, name in zip(task.qrels, by_name, strict=True))
    assert 18 < won < 42


def test_one_text_may_stand_for_a_list_of_one_and_short_keys_are_known(tmp_path: Path) -> None:
    path = write(
        tmp_path / "m.jsonl",
        {"query": "a", "positive": "正", "negative": "负"},
        {"query": "b", "pos": ["正"], "neg": ["另"]},
    )
    task = read_task(path)
    assert len(task.passages) == 3  # the same text is the same passage
    assert sum(sum(grades.values()) for grades in task.qrels.values()) == 2


def test_what_is_left_out_is_counted(tmp_path: Path) -> None:
    path = write(
        tmp_path / "m.jsonl",
        {"query": "a", "positive": ["正"], "negative": ["负", "正", "负"]},
        {"query": "b", "positive": [], "negative": ["负"]},
        {"query": "c", "passages": [passage("负", 0)]},
    )
    task = read_task(path)
    assert list(task.queries) == ["1"]
    assert len(task.candidates["1"]) == 2
    assert task.skipped == {
        "negatives that are positives of the same question": 1,
        "passages that stand twice in one list": 1,
        "questions without a relevant passage": 2,
    }


def test_ids_that_number_each_list_count_within_it(tmp_path: Path) -> None:
    lists = [{"id": name, "query": name, "passages": [passage(f"{name}文", 1, id=0)]} for name in ("甲", "乙")]
    task = read_task(write(tmp_path / "m.jsonl", *lists))
    assert list(task.passages) == ["甲/0", "乙/0"]


def test_a_gzipped_file_is_read_and_sampled(tmp_path: Path) -> None:
    text = "".join(
        json.dumps({"query": f"问{n}", "positive": "正", "negative": f"负{n}"}, ensure_ascii=False) + "\n"
        for n in range(9)
    )
    (tmp_path / "m.jsonl.gz").write_bytes(gzip.compress(text.encode()))
    task = read_task(tmp_path / "m.jsonl.gz", options=ReadOptions(sample=4))
    assert (task.name, len(task.queries), len(task.candidates)) == ("m", 4, 4)
    assert task.skipped == {"questions outside the sample": 5}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "no JSON"),
        ('{"question": "x", "passages": []}', '"query" is no text'),
        ('{"query": "x"}', "accepted are .*; found are: query"),
        ('{"query": "x", "positive": ["a"]}', "found are: query, positive"),
        ('{"query": "x", "positive": [1], "negative": []}', '"positive" must be a text or a list of texts'),
        ('{"query": "x", "positive": [], "negative": []}', "the list is empty"),
        ('{"query": "x", "passages": []}', "the list is empty"),
        ('{"query": "x", "passages": {"a": 1}}', '"passages" is a dict'),
        ('{"query": "x", "passages": ["a"]}', "passage 1 is a str"),
        ('{"query": "x", "passages": [{"text": "a"}]}', 'passage 1: "relevance" .* is missing'),
        ('{"query": "x", "passages": [{"text": "a", "label": 1, "relevance": 1}]}', "is there twice"),
        ('{"query": "x", "passages": [{"text": "a", "label": 0.5}]}', "is 0.5; it must be a whole number"),
        ('{"query": "x", "passages": [{"text": "a", "label": "yes"}]}', "is 'yes'"),
        ('{"query": "x", "passages": [{"label": 1}]}', 'passage 1: there is no "text"'),
        ('{"query": "x", "passages": [{"text": "a", "label": 1, "score": "high"}]}', "score.* is 'high'"),
        ('{"query": "x", "passages": [{"text": "a", "label": 1, "id": [1]}]}', '"id" is a list'),
        ('{"id": "1", "query": "x", "positive": "a", "negative": "b"}', "the id '1' stands at .*:1 already"),
        ('{"query": "x", "passages": [{"text": "a", "label": 1}, {"text": "a", "label": 0}]}', "grades 1 and 0"),
    ],
)  # fmt: skip
def test_a_list_that_cannot_be_used_is_named_by_its_line(tmp_path: Path, line: str, said: str) -> None:
    path = write(tmp_path / "m.jsonl", {"query": "西安？", "positive": "正", "negative": "负"}, line)
    with pytest.raises(InputError, match=rf"m\.jsonl:2: .*{said}"):
        read_task(path)


def test_empty_files_splits_and_other_encodings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"m\.jsonl: the file is empty"):
        read_task(write(tmp_path / "m.jsonl"))
    with pytest.raises(InputError, match="has no splits; the split 'dev'"):
        read_task(tmp_path / "m.jsonl", split="dev")
    (tmp_path / "m.jsonl").write_bytes('{"query": "西安"}'.encode("gb18030"))
    with pytest.raises(InputError, match=r"m\.jsonl:1: the file is not UTF-8"):
        read_task(tmp_path / "m.jsonl")
