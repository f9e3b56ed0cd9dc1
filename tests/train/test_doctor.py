"""Data are looked at before anything is trained."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from secondpass.data.training_findings import Finding
from secondpass.train.doctor import examine
from secondpass.train.encoder import PairEncoder
from secondpass.train.material import read_material
from secondpass.train.options import TrainOptions

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_what_would_spoil_a_run_is_named_with_its_place(reranker: Path, lessons: Path, tmp_path: Path) -> None:
    rows = [json.loads(line) for line in (lessons / "train.jsonl").read_text(encoding="utf-8").splitlines()]
    rows[3]["neg"] = [rows[3]["pos"][0], *rows[3]["neg"]]
    rows[5]["pos"] = ["长江" * 200]
    train = tmp_path / "训练.jsonl"
    train.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    dev = tmp_path / "dev.jsonl"
    dev.write_text(json.dumps(rows[0], ensure_ascii=False) + "\n", encoding="utf-8")
    options = TrainOptions(model=str(reranker), train=str(train), dev=str(dev), group_size=8)
    report = examine(options, read_material(options), PairEncoder(reranker, 2, 64))
    found = {finding.name: finding for finding in report.findings}
    assert report.form == "flag"
    assert {"query_leaks", "small_groups", "few_dev_questions"} <= found.keys()
    conflicts = [finding for finding in report.findings if f"{train}:4" in finding.places]
    assert any(finding.severity == "spoils" for finding in conflicts)
    assert found["small_groups"].count == 23  # one is measured on, and left out
    assert found["small_groups"].advice.startswith("group_size = 5")
    lengths = report.facts["lengths"]
    assert isinstance(lengths, dict)
    assert lengths["limit"] == 64
    assert lengths["cut_passages"] > 0  # in the model's own tokens


def test_short_groups_are_counted_against_what_the_hardest_are_chosen_of(
    reranker: Path, lessons: Path, tmp_path: Path
) -> None:
    rows = [json.loads(line) for line in (lessons / "train.jsonl").read_text(encoding="utf-8").splitlines()]
    train = tmp_path / "训练.jsonl"

    def finding(group_size: int, hardest_of: int) -> Finding | None:
        train.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
        options = TrainOptions(model=str(reranker), train=str(train), dev_share=0, group_size=group_size,
                               hardest_of=hardest_of)  # fmt: skip
        report = examine(options, read_material(options), PairEncoder(reranker, 2, 64))
        return next((one for one in report.findings if one.name == "small_groups"), None)

    assert finding(2, 4) is None
    short = finding(2, 6)
    assert short
    assert short.what == "questions with fewer negatives than hardest_of = 6 wants; there is less to choose from"
    assert (short.count, short.advice) == (24, "hardest_of = 4 is the most that any question fills")
    none_left = finding(4, 6)
    assert none_left
    assert none_left.advice == "data mine finds more"
    rows[0]["neg"] += ["多的一段", "另一段"]
    some = finding(2, 6)
    assert some
    assert (some.count, some.advice) == (23, "data mine finds more")


@pytest.mark.parametrize("name", ["train_groups.jsonl", "train_triplets.jsonl"])
def test_the_examples_that_we_ship_spoil_nothing(name: str, reranker: Path) -> None:
    options = TrainOptions(model=str(reranker), train=str(EXAMPLES / name), group_size=4)
    report = examine(options, read_material(options), PairEncoder(reranker, 2, 512))
    assert report.rows == 41
    assert not report.spoiled
    assert report.form == ("flag" if "groups" in name else "triplets")
