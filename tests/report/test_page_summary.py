"""The sentences that are read first say what was shown, and no more."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from lxml import html
from tests.report.reports import make_bare_report, make_report

from secondpass.evaluate.records import Difference, OverallResult, Report, SystemResult
from secondpass.report.page_reading import verdict
from secondpass.report.page_summary import summary

UP = Difference(0.012, 0.004, 0.02, 0.0011, 0.0034, 120, 300, 80)
DOWN = Difference(-0.021, -0.03, -0.012, 0.0001, 0.0002, 40, 30, 90)
FLAT = Difference(0.004, -0.02, 0.029, 0.41, 0.82, 7, 8, 6)


def report_with(difference: Difference) -> Report:
    bare = make_bare_report()
    (task,) = bare.tasks
    baseline, reranker = task.systems
    changed = replace(reranker, differences={"nDCG@10": difference}, gain_reached={"nDCG@10": 0.234})
    return replace(bare, tasks=(replace(task, queries=21, systems=(baseline, changed)),))


def said(report: Report, language: str) -> list[str]:
    tree = html.fragment_fromstring(f"<div>{summary(report)}</div>")
    other = "zh" if language == "en" else "en"
    for node in tree.xpath(f"//*[contains(concat(' ', @class, ' '), ' {other} ')]"):
        node.drop_tree()
    found = [paragraph.text_content() for paragraph in tree.xpath(".//li/p")] or [tree.xpath("./p")[0].text_content()]
    return [re.sub(r"[ \u00a0]+", " ", one).strip() for one in found]


def test_a_gain_is_said_with_its_interval_its_p_and_its_questions() -> None:
    assert said(report_with(UP), "en") == [
        "lexical@10 raises nDCG@10 by 1.2 points [0.4, 2.0] over bm25 (p 0.003). "
        "Questions: 120 better, 80 worse, 300 the same. That is 23% of what the candidates allow."
    ]
    assert said(report_with(UP), "zh") == [
        "lexical@10 使 nDCG@10 比 bm25 提高 1.2 个百分点 [0.4, 2.0]（p 0.003）。"
        "120 个问题变好，80 个变差，300 个不变。达到候选段落所允许的提升的 23%。"
    ]


def test_harm_is_called_harm_and_its_interval_is_that_of_the_fall() -> None:
    assert said(report_with(DOWN), "en") == [
        "lexical@10 makes it worse: nDCG@10 falls by 2.1 points [1.2, 3.0] below bm25 (p <0.001). "
        "Questions: 40 better, 90 worse, 30 the same."
    ]
    assert said(report_with(DOWN), "zh")[0].startswith("lexical@10 使结果变差：nDCG@10 比 bm25 降低 2.1 个百分点")


def test_where_nothing_is_shown_no_direction_is_claimed() -> None:
    assert said(report_with(FLAT), "en") == [
        "lexical@10: no difference to bm25 can be shown with 21 questions: nDCG@10 +0.4 points [−2.0, 2.9], p 0.820. "
        "Questions: 7 better, 6 worse, 8 the same."
    ]
    assert said(report_with(FLAT), "zh")[0].startswith("lexical@10：用 21 个问题看不出与 bm25 的差别")


@pytest.mark.parametrize(
    ("difference", "expected"),
    [
        (UP, "better"),
        (DOWN, "worse"),
        (FLAT, "unclear"),
        (replace(UP, p_holm=0.05), "unclear"),
        (replace(UP, p_value=0.001, p_holm=0.2), "unclear"),
        (replace(UP, p_holm=float("nan")), "unclear"),
        (replace(UP, mean=float("nan")), "unclear"),
    ],
)
def test_a_direction_is_claimed_only_where_the_corrected_p_is_below_five_percent(
    difference: Difference, expected: str
) -> None:
    assert verdict(difference) == expected


def test_several_tasks_get_one_sentence_a_reranker_with_the_tasks_that_got_worse() -> None:
    report = make_report()
    sentences = said(report, "en")
    assert [sentence.split()[0].rstrip(":") for sentence in sentences] == [
        "lexical@10",
        "BAAI/bge-reranker-v2-m3@10",
        "listwise:ollama/qwen3",
        "fuse:bm25+dense",
    ]
    assert "Tasks: 2 better, 0 worse, 1 undecided." in sentences[1]
    assert sentences[2].endswith("Worse on cmrc2018.")
    assert said(report, "zh")[2].endswith("变差的任务：cmrc2018。")


def test_many_tasks_that_got_worse_are_counted_after_the_first() -> None:
    (task,) = report_with(DOWN).tasks
    tasks = tuple(replace(task, name=f"任务{place}") for place in range(9))
    overall = OverallResult("lexical@10", "", 9, {}, {"nDCG@10": DOWN})
    report = replace(report_with(DOWN), tasks=tasks, overall=(overall,))
    assert said(report, "en")[0].endswith("Worse on 任务0, 任务1, 任务2, 任务3, 任务4, 任务5 and 3 more.")


def test_without_figures_over_all_tasks_every_task_is_spoken_of() -> None:
    report = replace(make_report(), overall=())
    assert [sentence for sentence in said(report, "en") if sentence.startswith("On cranfield: lexical@10")]
    assert [sentence for sentence in said(report, "zh") if sentence.startswith("cranfield：lexical@10")]


def test_a_report_without_a_reranker_says_so() -> None:
    report = make_bare_report()
    (task,) = report.tasks
    alone: tuple[SystemResult, ...] = task.systems[:1]
    assert said(replace(report, tasks=(replace(task, systems=alone),)), "en") == [
        "No reranker was measured, only orders without one."
    ]
