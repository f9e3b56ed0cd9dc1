"""Folders, files and runs as ranking tasks."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from secondpass.data.collections import ReadOptions, read_task, task_from_trec
from secondpass.data.tasks import Candidate
from secondpass.errors import InputError
from secondpass.types import Chunk

CORPUS = [
    {"_id": "甲", "title": "西安", "text": "西安交通大学。"},
    {"_id": "乙", "title": "", "text": "北京大学。"},
    {"_id": "c", "text": "A third one."},
]
QUERIES = [
    {"_id": "1", "text": "西安交大？", "split": "dev", "answers": ["西安交通大学"]},
    {"_id": "2", "text": "北大？", "split": "train"},
    {"_id": "3", "text": "third", "split": "dev"},
]
SHARED = Path(__file__).parents[2].parent / "shared" / "data"


def lines(path: Path, records: Sequence[Mapping[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text, encoding="utf-8")


def folder(place: Path, lists: Sequence[Mapping[str, Any]] = (), qrels: str = "1 0 甲 2\n2 0 乙 1\n3 0 c 1\n") -> Path:
    """Write a folder in the form of the development data."""
    lines(place / "corpus.jsonl.gz", CORPUS)
    lines(place / "queries.jsonl", QUERIES)
    (place / "qrels.tsv").write_text(qrels, encoding="utf-8")
    if lists:
        lines(place / "candidates.jsonl", lists)
    return place


def beir(place: Path, **splits: str) -> Path:
    """Write a folder in BEIR's form."""
    lines(place / "corpus.jsonl", CORPUS)
    lines(place / "queries.jsonl.gz", [{"_id": query["_id"], "text": query["text"]} for query in QUERIES])
    for split, rows in splits.items():
        (place / "qrels").mkdir(exist_ok=True)
        (place / "qrels" / f"{split}.tsv").write_text("query-id\tcorpus-id\tscore\n" + rows, encoding="utf-8")
    return place


def test_a_beir_folder_gives_its_test_split_without_lists(tmp_path: Path) -> None:
    task = read_task(beir(tmp_path / "西安", test="1\t甲\t2\n1\t乙\t0\n", dev="3\tc\t1\n"))
    assert (task.name, task.first_stage, task.candidates) == ("西安", "", {})
    assert task.queries == {"1": "西安交大？"}
    assert task.qrels == {"1": {"甲": 2, "乙": 0}}
    assert {doc_id: chunk.text for doc_id, chunk in task.passages.items()} == {
        "甲": "西安 西安交通大学。",
        "乙": "北京大学。",
        "c": "A third one.",
    }
    assert task.skipped == {"questions without a judgement": 2}


def test_another_split_is_read_where_it_is_asked_for(tmp_path: Path) -> None:
    place = beir(tmp_path, test="1\t甲\t2\n", dev="3\tc\t1\n")
    assert read_task(str(place), split="dev").queries == {"3": "third"}
    with pytest.raises(InputError, match=r"no split 'train'; there are: dev, test"):
        read_task(place, split="train")


def test_the_only_split_needs_no_name_and_several_do(tmp_path: Path) -> None:
    assert read_task(beir(tmp_path / "one", dev="3\tc\t1\n")).queries == {"3": "third"}
    with pytest.raises(InputError, match="more than one other; there are: dev, train"):
        read_task(beir(tmp_path / "two", dev="3\tc\t1\n", train="1\t甲\t1\n"))


def test_questions_that_name_their_split_give_dev(tmp_path: Path) -> None:
    place = folder(tmp_path)
    task = read_task(place)
    assert task.queries == {"1": "西安交大？", "3": "third"}
    assert task.answers == {"1": ("西安交通大学",)}
    assert task.skipped == {}
    assert list(read_task(place, split="train").queries) == ["2"]
    with pytest.raises(InputError, match="no split 'test'; there are: dev, train"):
        read_task(place, split="test")


def test_titles_are_kept_apart_where_that_is_wanted(tmp_path: Path) -> None:
    passage = read_task(folder(tmp_path), options=ReadOptions(titles="apart")).passages["甲"]
    assert (passage.title, passage.text) == ("西安", "西安交通大学。")


@pytest.mark.parametrize(("kind", "first_stage"), [("first_stage", "bm25"), ("official", ""), ("constructed", "")])
def test_the_kind_of_lists_says_whether_their_order_means_something(
    tmp_path: Path, kind: str, first_stage: str
) -> None:
    task = read_task(folder(tmp_path, [{"qid": "1", "kind": kind, "pids": ["乙", "甲"]}]))
    assert task.first_stage == first_stage
    assert task.candidates == {"1": (Candidate("乙"), Candidate("甲"))}


def test_what_is_left_out_is_counted_by_its_reason(tmp_path: Path) -> None:
    place = folder(
        tmp_path,
        [
            {"qid": "1", "kind": "official", "pids": ["乙", "丁", "甲"]},
            {"qid": "2", "kind": "official", "pids": ["甲"]},
            {"qid": "9", "kind": "official", "pids": ["甲"]},
        ],
        qrels="1 0 甲 1\n9 0 甲 1\n8 0 乙 1\n",
    )
    task = read_task(place)
    assert task.candidates == {"1": (Candidate("乙"), Candidate("甲"))}
    assert task.skipped == {
        "judgements of unknown questions": 2,
        "questions without a judgement": 1,
        "lists of unknown questions": 1,
        "candidates that are not in the corpus": 1,
    }


def test_only_listed_passages_are_kept_where_that_is_wanted(tmp_path: Path) -> None:
    place = folder(tmp_path, [{"qid": "1", "kind": "official", "pids": ["乙", "甲"]}])
    assert list(read_task(place, options=ReadOptions(passages="listed")).passages) == ["甲", "乙"]
    without_lists = folder(tmp_path / "bare")
    assert len(read_task(without_lists, options=ReadOptions(passages="listed")).passages) == 3


def test_a_larger_sample_holds_the_smaller_one_and_another_seed_draws_others(tmp_path: Path) -> None:
    queries = [{"_id": f"问{number}", "text": "西安？"} for number in range(60)]
    place = folder(tmp_path, qrels="".join(f"问{number} 0 甲 1\n" for number in range(60)))
    lines(place / "queries.jsonl", queries)
    few, more, other = (
        list(read_task(place, options=ReadOptions(sample=count, seed=seed)).queries)
        for count, seed in ((10, 1), (25, 1), (10, 2))
    )
    assert set(few) < set(more)
    assert set(few) != set(other)
    assert more == sorted(more, key=lambda name: int(name[1:]))
    assert read_task(place, options=ReadOptions(sample=10)).skipped == {"questions outside the sample": 50}


def test_lists_are_cut_only_where_their_order_means_something(tmp_path: Path) -> None:
    ordered = folder(tmp_path / "a", [{"qid": "1", "kind": "first_stage", "pids": ["乙", "甲", "c"]}])
    task = read_task(ordered, options=ReadOptions(top_k=2))
    assert task.candidates == {"1": (Candidate("乙"), Candidate("甲"))}
    assert task.skipped == {"candidates beyond the depth asked for": 1}
    unordered = folder(tmp_path / "b", [{"qid": "1", "kind": "official", "pids": ["乙", "甲", "c"]}])
    with pytest.raises(InputError, match="the order of its lists says nothing"):
        read_task(unordered, options=ReadOptions(top_k=2))
    with pytest.raises(InputError, match="top_k is 0"):
        ReadOptions(top_k=0)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("[", "no JSON"),
        ('{"qid": "3", "docs": []}', '"qid", "kind", "pids".*found are: qid, docs'),
        ('{"qid": "3", "kind": "random", "pids": ["甲"]}', "kind.*'random'; accepted are: first_stage, official"),
        ('{"qid": "3", "kind": "official", "pids": [["甲"]]}', "a list of passage ids"),
        ('{"qid": "3", "kind": "official", "pids": ["甲", "乙", "甲"]}', "'甲' stands 2 times"),
        ('{"qid": "1", "kind": "official", "pids": ["甲"]}', "question '1' has a list further up"),
        ('{"qid": "3", "kind": "first_stage", "pids": ["甲"]}', "order means nothing"),
    ],
)
def test_a_list_that_cannot_be_used_is_named_by_its_line(tmp_path: Path, line: str, said: str) -> None:
    place = folder(tmp_path, [{"qid": "1", "kind": "official", "pids": ["甲"]}])
    with (place / "candidates.jsonl").open("a", encoding="utf-8") as stream:
        stream.write(line)
    with pytest.raises(InputError, match=rf"candidates\.jsonl:2: .*{said}"):
        read_task(place)


def test_lists_and_judgements_of_another_data_set_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none of the 2 questions is judged.*'1' here, and 'PLAIN-3' there"):
        read_task(folder(tmp_path / "a", qrels="PLAIN-3 0 甲 1\n"))
    place = folder(tmp_path / "b", [{"qid": "1", "kind": "official", "pids": ["MED-1", "MED-2"]}])
    with pytest.raises(InputError, match=r"no candidate .*'MED-1'.* is among the 3 passages"):
        read_task(place)


def test_what_is_missing_from_a_folder_is_named_with_what_is_there(tmp_path: Path) -> None:
    place = folder(tmp_path)
    (place / "qrels.tsv").unlink()
    with pytest.raises(InputError, match=r"has no qrels\.tsv.*There are: corpus\.jsonl\.gz, queries\.jsonl"):
        read_task(place)
    with pytest.raises(InputError, match=r"nowhere is not there; accepted are a folder"):
        read_task(tmp_path / "nowhere")


def test_a_run_is_a_task_in_the_order_of_its_scores() -> None:
    corpus = {"甲": Chunk("甲", "西安"), "乙": Chunk("乙", "北京")}
    run = {"1": {"乙": 0.5, "甲": 0.5, "丙": 9.0}, "9": {"甲": 1.0}}
    task = task_from_trec(run, {"1": {"甲": 1}}, corpus, {"1": "西安？", "2": "x"})
    assert task.first_stage == "run"
    assert task.candidates == {"1": (Candidate("甲", 0.5), Candidate("乙", 0.5))}
    assert task.skipped == {
        "questions without a judgement": 1,
        "lists of unknown questions": 1,
        "candidates that are not in the corpus": 1,
    }


@pytest.mark.skipif(not SHARED.is_dir(), reason="the development data is not beside the checkout")
@pytest.mark.parametrize(
    ("name", "queries", "passages", "pairs", "first_stage"),
    [("noveleval", 21, 420, 420, ""), ("cranfield", 225, 1398, 22471, "bm25"), ("rgb_zh", 183, 3972, 3972, "")],
)
def test_the_development_data_has_the_sizes_its_readme_says(
    name: str, queries: int, passages: int, pairs: int, first_stage: str
) -> None:
    task = read_task(SHARED / name)
    assert (len(task.queries), len(task.passages), task.first_stage) == (queries, passages, first_stage)
    assert sum(map(len, task.candidates.values())) == pairs
    assert task.skipped == {}
