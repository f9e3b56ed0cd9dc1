"""What is learnt from, what is held back, and what is said of what was left out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from secondpass.errors import InputError
from secondpass.train.material import read_material
from secondpass.train.options import TrainOptions


def write(path: Path, rows: list[dict[str, object]]) -> str:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def test_rows_of_a_question_in_a_file_of_pairs_are_one_group(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [
        {"query": f"问题{number}", "passage": f"{'对' if label else '错'}{number}", "label": label}
        for label in (1, 0)
        for number in range(6)
    ]
    found = read_material(TrainOptions(train=write(tmp_path / "pairs.jsonl", rows), dev_share=0))
    assert [(one.query, one.positives, one.negatives) for one in found.examples[:2]] == [
        ("问题0", ("对0",), ("错0",)),
        ("问题1", ("对1",), ("错1",)),
    ]
    assert found.dev == []


def test_what_teaches_nothing_is_left_out_and_counted(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [
        {"query": "一", "pos": ["对"], "neg": ["错"]},
        {"query": "二", "pos": ["对"], "neg": []},
        {"query": "三", "pos": ["对"], "neg": []},
    ]
    found = read_material(TrainOptions(train=write(tmp_path / "train.jsonl", rows), dev_share=0))
    assert len(found.examples) == 1
    assert found.notes == ("2 questions without a negative, left out",)
    with pytest.raises(InputError, match="nothing to learn from; `secondpass data mine` finds negatives"):
        read_material(TrainOptions(train=write(tmp_path / "train.jsonl", rows[1:])))


def test_a_passage_with_its_answer_and_no_wrong_one_teaches_evidence_where_that_is_learned(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [
        {"query": "一", "pos": ["对"], "neg": ["错"]},
        {"query": "哪里", "pos": ["在西安"], "neg": [], "answers": ["西安"]},
        {"query": "三", "pos": ["对"], "neg": []},
    ]
    train = write(tmp_path / "train.jsonl", rows)
    found = read_material(TrainOptions(train=train, dev_share=0, evidence=0.5))
    assert [example.query for example in found.examples] == ["一", "哪里"]
    assert found.notes == (
        "1 questions without a negative, which teach only where answers stand",
        "1 questions without a negative, left out",
    )
    assert [example.query for example in read_material(TrainOptions(train=train, dev_share=0)).examples] == ["一"]
    with pytest.raises(InputError, match="nothing to learn from; `secondpass data mine` finds negatives"):
        read_material(TrainOptions(train=write(tmp_path / "alone.jsonl", rows[1:]), dev_share=0, evidence=0.5))


def test_prompts_of_examples_are_left_out_and_it_is_said(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [
        {"query": f"问{i}", "pos": ["对"], "neg": ["错"], "prompt": "判断段落是否回答问题。"} for i in range(3)
    ]
    found = read_material(TrainOptions(train=write(tmp_path / "train.jsonl", rows), dev_share=0))
    assert found.notes == (
        "3 prompts of examples, left out: a model is taught in the form of input in which it is served",
    )


def test_evidence_without_answers_is_refused_before_a_head_is_made_that_points_at_random(tmp_path: Path) -> None:
    row: dict[str, object] = {"query": "问", "pos": ["答案是长江"], "neg": ["错"], "answers": [""]}
    options = TrainOptions(train=write(tmp_path / "训练.jsonl", [row]), dev_share=0, evidence=0.25)
    with pytest.raises(InputError, match=r"evidence is 0\.25, and no example of .*训练\.jsonl names its answers"):
        read_material(options)
    write(tmp_path / "训练.jsonl", [row | {"answers": ["长江"]}])
    assert len(read_material(options).examples) == 1


def test_held_back_questions_share_neither_question_nor_passage_with_the_rest(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [
        {"query": f"问 {number}", "pos": [f"共有的段落 {number // 3}"], "neg": ["别的"]} for number in range(60)
    ]
    found = read_material(TrainOptions(train=write(tmp_path / "train.jsonl", rows), dev_share=0.2))
    assert len(found.examples) + len(found.dev) == 60
    assert 6 <= len(found.dev) <= 18
    right = {passage for one in found.dev for passage, grade in zip(one.passages, one.grades, strict=True) if grade}
    assert right.isdisjoint(passage for example in found.examples for passage in example.positives)


def test_many_dev_questions_are_drawn_the_same_each_time_and_it_is_said(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [{"query": f"问{i}", "pos": ["对"], "neg": ["错"]} for i in range(30)]
    path = write(tmp_path / "dev.jsonl", rows)
    teaches = write(tmp_path / "train.jsonl", [{"query": "别的", "pos": ["对"], "neg": ["错"]}])
    options = TrainOptions(train=teaches, dev=path, dev_questions=7)
    found = read_material(options)
    assert [one.query_id for one in found.dev] == [one.query_id for one in read_material(options).dev]
    assert len(found.dev) == 7
    assert f"measured on 7 of 30 questions of {path}, drawn at random" in found.notes


def test_what_is_measured_on_is_not_learnt(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [{"query": f"问{i}？", "pos": ["对"], "neg": ["错"]} for i in range(10)]
    train, dev = write(tmp_path / "train.jsonl", rows), write(tmp_path / "dev.jsonl", rows[7:])
    found = read_material(TrainOptions(train=train, dev=dev))
    assert [example.query for example in found.examples] == [f"问{i}？" for i in range(7)]
    assert any(note.startswith("3 questions of ") and "left out of training" in note for note in found.notes)
    with pytest.raises(InputError, match=r"All questions of .* are measured on"):
        read_material(TrainOptions(train=dev, dev=train))


def test_a_teachers_loss_without_teacher_scores_is_refused_before_anything_starts(tmp_path: Path) -> None:
    path = write(tmp_path / "train.jsonl", [{"query": "一", "pos": ["对"], "neg": ["错"]}])
    with pytest.raises(InputError, match="loss kl learns from a teacher's scores"):
        read_material(TrainOptions(train=path, loss="kl"))
    with pytest.raises(InputError, match=r"distil is 0\.5, and no example of .* has a teacher's scores"):
        read_material(TrainOptions(train=path, distil=0.5))


def test_columns_are_told_by_the_files_own_names(tmp_path: Path) -> None:
    (tmp_path / "训练.csv").write_text("问题,答案,错的\n何处？,北京,上海\n", encoding="utf-8")
    columns = "query=问题,positive=答案,negative=错的"
    found = read_material(TrainOptions(train=str(tmp_path / "训练.csv"), columns=columns, dev_share=0))
    assert found.examples[0].negatives == ("上海",)
    with pytest.raises(InputError, match="write our name and the file's"):
        read_material(TrainOptions(train=str(tmp_path / "训练.csv"), columns="query"))


def test_of_a_folder_that_says_which_questions_are_for_training_only_those_are_learnt(tmp_path: Path) -> None:
    write(tmp_path / "corpus.jsonl", [{"_id": f"p{i}", "text": f"段落 {i}"} for i in range(6)])
    splits = ("train", "train", "dev")
    write(tmp_path / "queries.jsonl", [{"_id": f"q{i}", "text": f"问{i}", "split": splits[i]} for i in range(3)])
    write(
        tmp_path / "candidates.jsonl",
        [{"qid": f"q{i}", "kind": "official", "pids": [f"p{i}", f"p{i + 3}"]} for i in range(3)],
    )
    (tmp_path / "qrels.tsv").write_text("".join(f"q{i}\t0\tp{i}\t1\n" for i in range(3)), encoding="utf-8")
    found = read_material(TrainOptions(train=str(tmp_path), dev=str(tmp_path)))
    assert [example.query for example in found.examples] == ["问0", "问1"]
    assert [one.query for one in found.dev] == ["问2"]
