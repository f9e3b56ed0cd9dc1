"""Parting training from development data."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from secondpass.data.training import TrainExample
from secondpass.data.training_check import CheckOptions, check
from secondpass.data.training_folders import FolderFiles
from secondpass.data.training_read import ReadOptions, open_examples
from secondpass.data.training_split import SplitOptions, plan_split, split_examples
from secondpass.errors import InputError

ROWS = st.lists(
    st.tuples(st.integers(0, 30), st.lists(st.integers(0, 60), min_size=1, max_size=2)), min_size=12, max_size=40
)


@given(ROWS, st.sampled_from(["query", "document"]), st.integers(0, 5))
def test_nothing_that_is_shared_stands_on_both_sides(rows: list[tuple[int, list[int]]], by: str, seed: int) -> None:
    examples = [
        TrainExample(f"第{q}问？" if n % 2 else f"第{q}问", tuple(f"段{d}" for d in ds))
        for n, (q, ds) in enumerate(rows)
    ]
    try:
        plan = plan_split(examples, SplitOptions(0.3, by, seed=seed))  # type: ignore[arg-type]
    except InputError:
        assume(False)
    sides = [[row for row, dev in zip(rows, plan.dev, strict=True) if bool(dev) is side] for side in (True, False)]
    assert sides[0]
    assert sides[1]
    assert len(sides[0]) <= max(1, round(0.3 * len(rows)))
    assert not {q for q, _ in sides[0]} & {q for q, _ in sides[1]}
    if by == "document":
        assert not {d for _, ds in sides[0] for d in ds} & {d for _, ds in sides[1] for d in ds}
    assert sum(plan.group_sizes) == len(rows)


def test_the_two_files_have_no_leak_and_together_every_row(tmp_path: Path) -> None:
    source = tmp_path / "all.jsonl"
    records = [
        {
            "query": f"第{n}个问题是什么",
            "pos": [f"第{n // 3}段的回答，各不相同的内容{n // 3 * 7919}。"],
            "neg": ["无关"],
        }
        for n in range(90)
    ]
    source.write_text("".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records), encoding="utf-8")
    targets = (tmp_path / "train.jsonl", tmp_path / "dev.jsonl")
    report = split_examples(open_examples(source), targets, SplitOptions(0.2), [])
    assert (report.train_rows, report.dev_rows, report.groups, report.largest_group) == (72, 18, 30, 3)
    train, dev = (target.read_text(encoding="utf-8").splitlines() for target in targets)
    assert sorted(json.loads(line)["query"] for line in train + dev) == sorted(record["query"] for record in records)
    checked = check(open_examples(targets[0]), CheckOptions(dev=open_examples(targets[1]), near=1.0))
    assert not {finding.name for finding in checked.report.findings} & {"query_leaks", "passage_leaks"}
    again = split_examples(open_examples(source), (tmp_path / "t2", tmp_path / "d2"), SplitOptions(0.2), [])
    assert again.dev_rows == 18
    assert (tmp_path / "d2").read_bytes() == targets[1].read_bytes()


def test_rows_that_all_hang_together_are_refused() -> None:
    rows = [TrainExample(f"第{n}问", ("同一段",)) for n in range(10)]
    with pytest.raises(InputError, match=r"10 of 10 rows hang together .* part by query alone"):
        plan_split(rows, SplitOptions(0.2, seed=1))
    assert plan_split(rows, SplitOptions(0.2, "query", seed=1)).dev.sum() == 2
    with pytest.raises(InputError, match="between 0 and 1"):
        plan_split(rows, SplitOptions(20))


def test_a_collection_is_parted_by_its_judgements(tmp_path: Path) -> None:
    folder = tmp_path / "beir"
    folder.mkdir()
    (folder / "corpus.jsonl").write_text(
        "".join(f'{{"_id": "d{n}", "text": "段{n}"}}\n' for n in range(20)), encoding="utf-8"
    )
    (folder / "queries.jsonl").write_text(
        "".join(f'{{"_id": "q{n}", "text": "问{n}"}}\n' for n in range(20)), encoding="utf-8"
    )
    (folder / "qrels.tsv").write_text(
        "".join(f"q{n} 0 d{n} 2\nq{n} 0 d{n // 2 * 2} 1\n" for n in range(1, 20, 2)), encoding="utf-8"
    )
    targets = (tmp_path / "split" / "qrels" / "train.tsv", tmp_path / "split" / "qrels" / "dev.tsv")
    report = split_examples(open_examples(folder), targets, SplitOptions(0.3, seed=3), [])
    assert (report.train_rows, report.dev_rows) == (7, 3)
    files = FolderFiles(
        qrels=str(targets[1]), corpus=str(folder / "corpus.jsonl"), queries=str(folder / "queries.jsonl")
    )
    dev = [one for one in open_examples(folder, replace(ReadOptions(), files=files)) if isinstance(one, TrainExample)]
    assert len(dev) == 3
    assert dev[0].positive_scores == (2.0, 1.0)


NEAR = [
    ("西安交通大学是由哪几所学校合并而成的？", "请问西安交通大学是由哪几所学校合并而成的"),
    (
        "For how many seconds do browsers cache CORS responses?",
        "For how many seconds do the browsers cache CORS responses",
    ),
]


@pytest.mark.parametrize("seed", range(5))
def test_questions_that_nearly_are_the_same_go_to_one_side(seed: int) -> None:
    others = [f"{place}的{what}在哪里" for place in "京沪津渝苏杭" for what in ("大学", "车站", "图书馆")]
    questions = [*others[:9], NEAR[0][0], NEAR[1][0], *others[9:], NEAR[0][1], NEAR[1][1]]
    rows = [TrainExample(question, (f"段{number}",)) for number, question in enumerate(questions)]
    heard: list[str] = []
    plan = plan_split(rows, SplitOptions(0.4, seed=seed), lambda what, *_: heard.append(what))
    side = dict(zip(questions, plan.dev.tolist(), strict=True))
    assert all(side[first] == side[second] for first, second in NEAR)
    assert plan.near == 2
    assert plan.group_sizes[:3] == (2, 2, 1)
    assert heard.count("rows read") == len(rows)
    assert "parts of all questions compared" in heard
    apart = plan_split(rows, SplitOptions(0.4, near=1.0, seed=seed))
    assert (apart.near, len(apart.group_sizes)) == (0, len(rows))


def test_questions_that_are_all_near_are_refused_with_the_way_out() -> None:
    rows = [TrainExample(f"中华人民共和国民法典第{n}条规定的内容是什么", (f"段{n}",)) for n in range(1, 9)]
    with pytest.raises(InputError, match=r"8 of 8 rows hang together .* nearness of questions above 0.7 \(--near\)"):
        plan_split(rows, SplitOptions(0.3, near=0.7))
    assert plan_split(rows, SplitOptions(0.3, near=0.95)).dev.sum() == 2
