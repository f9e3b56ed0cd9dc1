"""What is drawn stands where the numbers say."""

from __future__ import annotations

import random
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from tests.report.reports import make_big_report, make_report

from secondpass.evaluate.records import Calibration, Estimate, Reliability, SystemResult
from secondpass.report.plot_forest import forest_plots
from secondpass.report.plot_latency import TimedSystem, latency_of_task, latency_over_tasks, pareto_front
from secondpass.report.plot_movement import movement_plots
from secondpass.report.plot_questions import question_plots
from secondpass.report.plot_reliability import reliability_plots
from secondpass.report.plots import FONT_SIZE, LinearScale, LogScale, Plot, PlotGroup, Span, shortened, text_width

SPAN = Span(10, 110)


def drawn(plot: Plot) -> etree._Element:
    return etree.fromstring(f"<svg>{''.join(plot.drawing)}</svg>")


def having(plot: Plot, css: str) -> list[etree._Element]:
    found: list[etree._Element] = drawn(plot).xpath(f"//*[contains(concat(' ', @class, ' '), ' {css} ')]")
    return found


def titles(plot: Plot) -> list[str]:
    return [str(text) for text in drawn(plot).xpath("//title/text()")]


def system(name: str, values: dict[str, float], **other: object) -> SystemResult:
    made = SystemResult(name, "reranker", "logit", "", {}, {}, {}, None, None, values)
    return replace(made, **other)  # type: ignore[arg-type]


def only(group: PlotGroup | None) -> Plot:
    assert group is not None
    (plot,) = group.plots
    return plot


def test_scales_map_their_ends_and_never_leave_the_drawing() -> None:
    linear, logarithmic = LinearScale(-1, 1, SPAN), LogScale(1, 100, SPAN)
    assert [linear.at(value) for value in (-1, 0, 1, 7)] == [10, 60, 110, 110]
    assert [logarithmic.at(value) for value in (1, 10, 100, 0.001)] == pytest.approx([10, 60, 110, 10])


@given(st.floats(-1e3, 1e3), st.floats(1e-3, 1e3), st.integers(2, 8))
def test_ticks_are_round_few_and_inside(low: float, width: float, wanted: int) -> None:
    ticks = LinearScale(low, low + width, SPAN).ticks(wanted)
    assert len(ticks) <= wanted + 1
    assert all(low - width * 1e-6 <= tick <= low + width * (1 + 1e-6) for tick in ticks)


@given(st.floats(1e-3, 1e3), st.floats(3.9, 1e5))
def test_log_ticks_are_there_and_inside(low: float, factor: float) -> None:
    ticks = LogScale(low, low * factor, SPAN).ticks()
    assert 1 <= len(ticks) <= 12
    assert all(low * 0.99 <= tick <= low * factor * 1.01 for tick in ticks)


@given(st.text(min_size=1), st.integers(20, 200))
def test_shortened_names_fit_and_keep_their_ends(name: str, room: int) -> None:
    short = shortened(name, room)
    assert text_width(short) <= max(room, FONT_SIZE)


def test_a_chinese_letter_is_as_wide_as_two_latin_ones() -> None:
    assert text_width("西安") == 2 * FONT_SIZE
    assert text_width("西安") > text_width("xian") * 0.8
    assert shortened("西安交通大学附属中学", 60) == "西安…中学"


def test_the_front_is_what_no_other_beats_in_both() -> None:
    chance = random.Random(5)
    systems = [
        TimedSystem(str(place), "reranker", chance.uniform(1, 100), None, Estimate(chance.random(), 0, 1))
        for place in range(40)
    ]
    front = pareto_front(systems, 0.3)
    expected = {
        one.name
        for one in systems
        if one.quality.mean > 0.3
        and not any(
            other.milliseconds <= one.milliseconds and other.quality.mean > one.quality.mean for other in systems
        )
    }
    assert {one.name for one in front} == expected
    assert [one.milliseconds for one in front] == sorted(one.milliseconds for one in front)


def test_quality_against_latency_draws_what_was_timed_and_nothing_else() -> None:
    report = make_report()
    plot = only(latency_of_task(report.tasks[0], report))
    assert len(having(plot, "dot")) == 5
    assert [text for text in titles(plot) if re.fullmatch(r"lexical@10: .*, p50 1\.3 ms, p95 3\.4 ms", text)]
    untimed = replace(report.tasks[0], systems=tuple(replace(one, cost=None) for one in report.tasks[0].systems))
    assert latency_of_task(untimed, report) is None


def test_a_system_that_was_not_timed_on_every_task_has_no_time_over_all() -> None:
    report = make_report()
    first, *others = report.tasks
    without = tuple(replace(one, cost=None) if one.name == "lexical@10" else one for one in first.systems)
    plot = only(latency_over_tasks(replace(report, tasks=(replace(first, systems=without), *others))))
    assert not [text for text in titles(plot) if text.startswith("lexical@10")]
    assert [text for text in titles(plot) if text.startswith("fuse:bm25+dense")]


def test_tasks_of_different_baselines_are_drawn_without_one() -> None:
    report = make_report()
    first, *others = report.tasks
    group = latency_over_tasks(replace(report, tasks=(replace(first, baseline="dense"), *others)))
    assert having(only(group), "baseline-line") == []
    assert len(having(only(group), "dot")) == 4
    assert len(having(only(latency_over_tasks(report)), "baseline-line")) == 1


def test_bars_are_sorted_one_a_question_and_named_for_who_hovers() -> None:
    baseline = system("bm25", {"甲": 0.5, "乙": 0.5, "丙": 0.5, "丁": 0.2})
    plot = only(question_plots([system("x", {"甲": 1.0, "乙": 0.5, "丙": 0.1, "戊": 1.0})], baseline, "nDCG@10", 100))
    assert titles(plot) == ["丙: 50.0 → 10.0 (−40.0)", "甲: 50.0 → 100.0 (+50.0)"]
    (loss,), (gain,) = (having(plot, css) for css in ("loss", "gain"))
    assert len(loss) == len(gain) == 1
    words = " ".join(drawn(plot).itertext())
    assert "1 worse" in words
    assert "1 个不变" in words


def test_many_questions_become_few_bars_that_say_how_many_they_are() -> None:
    report = make_big_report(1, 1000)
    task = report.tasks[0]
    plot = only(question_plots([task.systems[5]], task.systems[1], "nDCG@10", 50))
    assert len(titles(plot)) <= 50
    assert all("(n = 20)" in text for text in titles(plot))


def test_systems_share_one_scale_so_that_bars_can_be_compared() -> None:
    baseline = system("bm25", {"a": 0.5})
    group = question_plots([system("x", {"a": 1.0}), system("y", {"a": 0.55})], baseline, "nDCG@10", 10)
    assert group is not None
    heights = [
        float(re.findall(r"v-([\d.]+)", bar.get("d"))[0]) for plot in group.plots for bar in having(plot, "gain")[0]
    ]
    assert heights[0] == pytest.approx(10 * heights[1], rel=0.05)


def test_passages_are_counted_in_the_cell_of_their_ranks() -> None:
    moved = ((1, 1), (1, 1), (4, 2), (5, 0), (0, 7))
    plot = only(movement_plots([system("x", {}, movement=moved)]))
    counts = [text for part in having(plot, "cell-count") for text in part.itertext()]
    assert sorted(counts) == ["1", "1", "1", "2"]
    assert "2 rose, 1 fell, 2 stayed" in plot.note
    assert "上升 2，下降 1，不动 2" in plot.note
    assert movement_plots([system("x", {})]) is None


def test_empty_bins_are_not_drawn() -> None:
    bins = (Reliability(0, 0.5, 0, float("nan"), float("nan")), Reliability(0.5, 1, 12, 0.7, 0.6))
    plot = only(reliability_plots([system("x", {}, calibration=Calibration(bins, 0.1))]))
    assert titles(plot) == ["0.50–1.00: n = 12, p = 0.700 → 0.600"] * 2
    assert "nan" not in "".join(plot.drawing)
    assert reliability_plots([system("x", {}, calibration=Calibration(bins[:1], 0.0)), system("y", {})]) is None


def test_the_forest_has_a_line_a_task_and_a_diamond_for_all() -> None:
    report = make_report()
    group = forest_plots(report)
    assert group is not None
    assert len(group.plots) == 5
    for plot in group.plots:
        assert len(having(plot, "forest")) == len(report.tasks) + 1
        assert len(having(plot, "zero")) == 1
    assert len(having(group.plots[4], "worse")) > 0
    assert forest_plots(replace(report, tasks=())) is None
