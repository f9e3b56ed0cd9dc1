"""Tasks of MTEB from files on this disk, in every layout that the hub has."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("mteb", reason="pip install 'secondpass[mteb]' to test evaluation through mteb")

from datasets import Dataset
from tests.evaluate.mteb_data import rows_of, small_task, write_lines

from secondpass.data.collections import ReadOptions
from secondpass.errors import InputError
from secondpass.evaluate.mteb_tasks import load_mteb_task

DATA = small_task(questions=6)
Layout = Callable[[Path, str, list[dict[str, Any]]], None]


def one_file(folder: Path, part: str, rows: list[dict[str, Any]]) -> None:
    write_lines(folder / f"{part}.jsonl", rows)


def gzipped(folder: Path, part: str, rows: list[dict[str, Any]]) -> None:
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (folder / f"{part}.jsonl.gz").write_bytes(gzip.compress(text.encode()))


def shards_of_a_split(folder: Path, part: str, rows: list[dict[str, Any]]) -> None:
    inside = folder / ("data" if part == "qrels" else part)  # where the hub puts the configuration "default"
    inside.mkdir()
    half = len(rows) // 2
    for number, some in enumerate((rows[:half], rows[half:])):
        Dataset.from_list(some).to_parquet(inside / f"dev-0000{number}-of-00002.parquet")
    Dataset.from_list(rows[:1]).to_parquet(inside / "train-00000-of-00001.parquet")


def converted_by_the_hub(folder: Path, part: str, rows: list[dict[str, Any]]) -> None:
    inside = folder / ("default" if part == "qrels" else part) / "dev"
    inside.mkdir(parents=True)
    Dataset.from_list(rows).to_parquet(inside / "0000.parquet")


@pytest.mark.parametrize("write", [one_file, gzipped, shards_of_a_split, converted_by_the_hub])
def test_every_layout_of_the_hub_gives_the_same_task(tmp_path: Path, write: Layout) -> None:
    for part, rows in rows_of(DATA).items():
        write(tmp_path, part, rows)
    task = load_mteb_task("T2Reranking", tmp_path)
    assert (task.name, task.first_stage, task.skipped) == ("T2Reranking", "", {})
    assert task.queries == {query["_id"]: query["text"] for query in DATA["queries"]}
    assert task.qrels == DATA["qrels"]
    assert {key: {found.doc_id for found in lists} for key, lists in task.candidates.items()} == {
        key: set(doc_ids) for key, doc_ids in DATA["top_ranked"].items()
    }
    assert task.passages["段00"].text == f"标题 {DATA['corpus'][0]['text']}"


def test_lists_are_put_in_an_order_that_says_nothing(tmp_path: Path) -> None:
    for part, rows in rows_of(DATA).items():
        one_file(tmp_path, part, rows)
    task = load_mteb_task("T2Reranking", tmp_path)
    given = [DATA["top_ranked"][query_id] for query_id in task.candidates]
    assert [[found.doc_id for found in lists] for lists in task.candidates.values()] != given


def test_the_subset_of_a_language_is_read(tmp_path: Path) -> None:
    for part, rows in rows_of(DATA).items():
        one_file(tmp_path, f"zh-{part}", rows)
    task = load_mteb_task("MIRACLReranking", tmp_path, subset="zh", options=ReadOptions(sample=2))
    assert (task.name, len(task.queries)) == ("MIRACLReranking/zh", 2)
    assert task.skipped == {"questions outside the sample": 4}
    with pytest.raises(InputError, match=r"18 subsets, of which one must be named; there are: ar, bn"):
        load_mteb_task("MIRACLReranking", tmp_path)
    with pytest.raises(InputError, match="no subset 'cn'"):
        load_mteb_task("MIRACLReranking", tmp_path, subset="cn")


@pytest.mark.parametrize("place", ["dev.jsonl", "data/dev-00000-of-00001.parquet", ""])
def test_the_old_form_gets_the_ids_that_mteb_gives_it(tmp_path: Path, place: str) -> None:
    rows = [
        {"query": "无负例", "positive": ["正"], "negative": []},
        {"query": "西安？", "positive": ["正一", "正二"], "negative": ["负", "正一"]},
    ]
    path = tmp_path / (place or "any-name.jsonl")
    path.parent.mkdir(exist_ok=True)
    if path.suffix == ".parquet":
        Dataset.from_list(rows).to_parquet(path)
    else:
        write_lines(path, rows)
    task = load_mteb_task("T2Reranking", tmp_path if place else path)
    assert task.queries == {"dev_query0": "西安？"}
    assert task.qrels["dev_query0"] == {
        "apositive_dev_query0_00000": 1,
        "apositive_dev_query0_00001": 1,
        "negative_dev_query0_00000": 0,
        "negative_dev_query0_00001": 0,
    }
    assert task.skipped == {"questions without positive or without negative passages": 1}
    assert {found.doc_id for found in task.candidates["dev_query0"]} == set(task.qrels["dev_query0"])


@pytest.mark.parametrize(
    ("part", "line", "said"),
    [
        ("corpus", "{", "no JSON"),
        ("corpus", '{"_id": "段00", "text": "别的"}', "'段00' stands twice"),
        ("corpus", '{"title": "t"}', 'no "_id"'),
        ("queries", '{"_id": "问9", "text": ["a", "b"]}', '"text" of the question is a list'),
        ("qrels", '{"query-id": "问0", "corpus-id": "段00", "score": 0.5}', "whole number"),
        ("top_ranked", '{"query-id": "问9", "corpus_ids": []}', "found are: query-id, corpus_ids"),
        ("top_ranked", '{"query-id": "问0", "corpus-ids": ["段00"]}', "has a list further up"),
    ],
)
def test_a_line_that_cannot_be_used_is_named(tmp_path: Path, part: str, line: str, said: str) -> None:
    for name, rows in rows_of(DATA).items():
        one_file(tmp_path, name, rows)
    path = tmp_path / f"{part}.jsonl"
    number = len(path.read_text(encoding="utf-8").splitlines()) + 1
    with path.open("a", encoding="utf-8") as stream:
        stream.write(line)
    with pytest.raises(InputError, match=rf"{part}\.jsonl:{number}: .*{said}"):
        load_mteb_task("T2Reranking", tmp_path)


def test_a_row_of_the_old_form_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    write_lines(tmp_path / "dev.jsonl", [{"query": "甲", "pos": ["a"], "neg": ["b"]}])
    with pytest.raises(InputError, match=r"dev\.jsonl:1: accepted is .*; found are: query, pos, neg"):
        load_mteb_task("T2Reranking", tmp_path)


def test_a_broken_parquet_file_is_named(tmp_path: Path) -> None:
    for part in ("corpus", "queries", "qrels", "top_ranked"):
        (tmp_path / f"{part}.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(InputError, match=r"\.parquet: the parquet file cannot be read"):
        load_mteb_task("T2Reranking", tmp_path)


def test_a_folder_of_another_form_is_told_what_is_wanted(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no 'dev' data of MTEB; wanted is a folder with corpus, "):
        load_mteb_task("T2Reranking", tmp_path)
    one_file(tmp_path, "corpus", DATA["corpus"])
    with pytest.raises(InputError, match=r"has a corpus, but no queries of 'dev'"):
        load_mteb_task("T2Reranking", tmp_path)
    with pytest.raises(InputError, match=r"nowhere, the data of MIRACLReranking/zh, is not there; .*zh-corpus"):
        load_mteb_task("MIRACLReranking", tmp_path / "nowhere", subset="zh")


def test_without_hub_and_files_it_says_which_folder_is_wanted() -> None:
    with pytest.raises(
        InputError,
        match=r"CMedQAv1-reranking is offline, .*datasets/mteb/CMedQAv1-reranking elsewhere; wanted is a folder",
    ):
        load_mteb_task("CMedQAv1-reranking", offline=True)


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(InputError, match=r"no task named 'CMedQAv1'\. Did you mean 'CMedQAv1-reranking'"):
        load_mteb_task("CMedQAv1")
    with pytest.raises(InputError, match=r"Did you mean 'T2Reranking'"):
        load_mteb_task("T2Rerank")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("T2Retrieval", "a Retrieval task without lists"),
        ("TNews", "a Classification task"),
        ("Core17InstructionRetrieval", "measured by p-MRR"),
    ],
)
def test_a_task_of_another_kind_is_refused(name: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        load_mteb_task(name)
