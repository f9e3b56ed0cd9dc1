"""Judgements in the forms of TREC and BEIR."""

from __future__ import annotations

import gzip
from pathlib import Path

import ir_measures
import pytest

from secondpass.data.qrels import read_qrels
from secondpass.errors import InputError


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_trec_and_beir_give_the_same(tmp_path: Path) -> None:
    expected = {"问1": {"甲": 2, "乙": 0}, "q2": {"甲": -1}}
    trec = write(tmp_path / "trec", "问1 0 甲 2\n问1\t0\t乙\t0\n\nq2  Q0  甲 -1\n")
    beir = write(tmp_path / "beir.tsv", "query-id\tcorpus-id\tscore\n问1\t甲\t2\n问1\t乙\t0\nq2\t甲\t-1\n")
    objects = write(
        tmp_path / "o.jsonl",
        '{"query-id": "问1", "corpus-id": "甲", "score": 2.0}\n{"query-id": "问1", "corpus-id": "乙", "score": 0}\n'
        '{"query-id": "q2", "corpus-id": "甲", "score": "-1"}\n',
    )
    assert read_qrels(trec) == read_qrels(str(beir)) == read_qrels(objects) == expected


def test_they_are_what_ir_measures_reads(tmp_path: Path) -> None:
    path = write(tmp_path / "qrels", "q1 0 a 1\nq1 0 b 0\nq2 0 a 3\n")
    peer: dict[str, dict[str, int]] = {}
    for line in ir_measures.read_trec_qrels(str(path)):
        peer.setdefault(line.query_id, {})[line.doc_id] = line.relevance
    assert read_qrels(path) == peer


def test_an_id_with_spaces_is_read_between_tabs(tmp_path: Path) -> None:
    assert read_qrels(write(tmp_path / "q.tsv", "a query\t西安 交大\t1\r\n")) == {"a query": {"西安 交大": 1}}


def test_a_gzipped_file_is_read(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "q.tsv.gz", "wt", encoding="utf-8") as stream:
        stream.write("问 0 甲 1\n")
    assert read_qrels(tmp_path / "q.tsv.gz") == {"问": {"甲": 1}}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("问 甲", "2 fields"),
        ("q Q0 d 1 0.5 tag", "6 fields.*TREC run"),
        ("q 0 d high", "grade is 'high'"),
        ("q 0 d 1.5", "grade is '1.5'"),
        ("q 0 d 1_0", "grade is '1_0'"),
        ("q\t0\t\t1", "a field is empty"),
        ("query-id\tcorpus-id\tscore", "grade is 'score'"),
        ("问 0 甲 2", "'甲' has the grade 2 for question '问', and had 1"),
        ('{"query-id": "q", "score": 1}', '"query-id", "corpus-id", "score".*found are: query-id, score'),
        ('{"query-id": "q", "corpus-id": "d", "score": 0.5}', "grade is '0.5'"),
        ("{", "no JSON"),
    ],
)
def test_a_line_that_cannot_be_used_is_named(tmp_path: Path, line: str, said: str) -> None:
    with pytest.raises(InputError, match=rf"q\.tsv:2: .*{said}"):
        read_qrels(write(tmp_path / "q.tsv", f"问 0 甲 1\n{line}\n"))


def test_the_same_judgement_twice_is_one(tmp_path: Path) -> None:
    assert read_qrels(write(tmp_path / "q.tsv", "问 0 甲 1\n问 0 甲 1\n")) == {"问": {"甲": 1}}


@pytest.mark.parametrize("text", ["", "\n\n", "query-id\tcorpus-id\tscore\n"])
def test_a_file_without_judgements_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match=r"q\.tsv: there is no judgement"):
        read_qrels(write(tmp_path / "q.tsv", text))


def test_another_encoding_and_a_missing_file_are_named(tmp_path: Path) -> None:
    (tmp_path / "q.tsv").write_bytes("问 0 甲 1\n".encode("gb18030"))
    with pytest.raises(InputError, match=r"q\.tsv:1: the file is not UTF-8"):
        read_qrels(tmp_path / "q.tsv")
    with pytest.raises(InputError, match=r"none\.tsv cannot be read"):
        read_qrels(tmp_path / "none.tsv")
