"""A report goes into a file and comes back as it was."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.evaluate.small_tasks import make_task
from tests.report.reports import MEASURES

from secondpass.errors import InputError
from secondpass.evaluate.experiment import evaluate
from secondpass.evaluate.options import EvaluationOptions
from secondpass.evaluate.report_files import read_report_json, write_report_json


def test_a_report_comes_back_exactly(tmp_path: Path) -> None:
    tasks = [make_task(8, first_stage="bm25"), replace(make_task(6), name="另一个 other")]
    report = evaluate(tasks, ["lexical@3", "lexical"], EvaluationOptions(measures=MEASURES, draws=200))
    write_report_json(report, tmp_path / "报告.json")
    again = read_report_json(tmp_path / "报告.json")
    assert again == report
    written = (tmp_path / "报告.json").read_text(encoding="utf-8")
    assert "小任务 small" in written  # Chinese stays readable
    assert json.loads(written)["tasks"][0]["systems"][0]["name"] == "random"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("不是", "is no JSON"),
        ("[]", "is no evaluation of this version"),
        ('{"format": "secondpass evaluation", "format_version": 99}', "is no evaluation of this version"),
        (
            '{"format": "secondpass evaluation", "format_version": 1, "tasks": 3}',
            "part of the evaluation cannot",
        ),
    ],
)
def test_another_file_is_refused(content: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=said):
        read_report_json(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.json cannot be read"):
        read_report_json(tmp_path / "nowhere.json")
