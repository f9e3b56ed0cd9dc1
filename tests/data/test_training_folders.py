"""Collections to learn from: which of a folder's splits is read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from secondpass.data.training_check import CheckOptions, check
from secondpass.data.training_folders import FolderFiles
from secondpass.data.training_read import ReadOptions, good_examples, open_examples
from secondpass.errors import InputError


def write_lines(path: Path, records: Sequence[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records), encoding="utf-8")


def collection(folder: Path, splits: Sequence[str]) -> Path:
    """A collection whose splits stand beside its questions alone."""
    write_lines(folder / "corpus.jsonl", [{"_id": f"p{n}", "text": f"第{n}段"} for n in range(len(splits))])
    queries = [{"_id": f"q{n}", "text": f"问{n}", **({"split": s} if s else {})} for n, s in enumerate(splits)]
    write_lines(folder / "queries.jsonl", queries)
    (folder / "qrels.tsv").write_text("".join(f"q{n}\t0\tp{n}\t1\n" for n in range(len(splits))), encoding="utf-8")
    return folder


def read(folder: Path, split: str | None = None) -> list[str]:
    examples = open_examples(folder, ReadOptions(files=FolderFiles(split=split)))
    return [example.query for example in good_examples(examples)]


def test_of_questions_that_name_their_split_those_for_training_are_read_and_it_is_said(tmp_path: Path) -> None:
    folder = collection(tmp_path, ["train", "dev", "train", "test"])
    assert (read(folder), read(folder, "dev"), read(folder, "test")) == (["问0", "问2"], ["问1"], ["问3"])
    note = open_examples(folder).note
    assert note.endswith("queries.jsonl (train, dev, test), train is taken; --split NAME takes another")
    assert open_examples(folder, ReadOptions(files=FolderFiles(split="dev"))).note == ""


def test_questions_without_a_split_and_of_one_alone_are_all_read(tmp_path: Path) -> None:
    assert read(collection(tmp_path / "无", ["", ""])) == ["问0", "问1"]
    assert read(collection(tmp_path / "无", ["", ""]), "dev") == ["问0", "问1"]
    alone = collection(tmp_path / "one", ["test", "test"])
    assert read(alone) == ["问0", "问1"]
    assert open_examples(alone).note == ""


def test_a_split_that_is_not_there_is_refused_with_those_that_are(tmp_path: Path) -> None:
    folder = collection(tmp_path, ["validation", "test"])
    with pytest.raises(InputError, match=r"queries\.jsonl has the splits validation, test; choose one: --split NAME"):
        open_examples(folder)
    with pytest.raises(InputError, match=r"there is none named 'dev': --split NAME \(--dev-split NAME\)"):
        open_examples(folder, ReadOptions(files=FolderFiles(split="dev")))


def test_judgements_of_several_splits_are_chosen_from_alike(tmp_path: Path) -> None:
    folder = collection(tmp_path, ["", "", ""])
    (folder / "qrels").mkdir()
    for number, split in enumerate(("dev", "train")):
        text = f"query-id\tcorpus-id\tscore\nq{number}\tp{number}\t1\n"
        (folder / "qrels" / f"{split}.tsv").write_text(text, encoding="utf-8")
    assert (read(folder), read(folder, "dev")) == (["问1"], ["问0"])
    assert "(dev, train), train is taken" in open_examples(folder).note


def test_a_folder_checked_against_its_own_development_split_shows_no_leak(tmp_path: Path) -> None:
    folder = collection(tmp_path, ["train", "dev", "train", "dev"])
    dev = open_examples(folder, ReadOptions(files=FolderFiles(split="dev")))
    report = check(open_examples(folder), CheckOptions(dev=dev)).report
    assert report.facts["dev_rows"] == 2
    assert not {finding.name for finding in report.findings if "leak" in finding.name}
