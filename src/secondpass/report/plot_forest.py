"""The forest plot: one system's difference to the baseline on every task, on one scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from secondpass.evaluate.records import Difference, Report
from secondpass.report.markup import EMPTY, Markup, data, element, escape
from secondpass.report.page_numbers import interval, p_value, signed_points, signed_tick
from secondpass.report.page_reading import compared, compared_names, first_measure, overall_of, verdict
from secondpass.report.plot_texts import ALL_TASKS, FOREST_AXIS, FOREST_CAPTION, FOREST_TITLE
from secondpass.report.plots import WIDTH, LinearScale, Plot, PlotGroup, Span, line, name_at, padded, word, words

LEFT, RIGHT, TOP = 118.0, 316.0, 6.0
NAME_ROOM = 108.0
ROW = 21.0


@dataclass(frozen=True, slots=True)
class ForestRow:
    """A task's line; ``task`` is empty for all tasks together."""

    task: str
    difference: Difference


def forest_plots(report: Report) -> PlotGroup | None:
    """Return one plot a system, all on one scale; None where nothing is held to a baseline."""
    measure = first_measure(report)
    rows = {name: _rows(report, name, measure) for name in compared_names(report.tasks, measure)}
    ends = [end for found in rows.values() for row in found for end in (row.difference.low, row.difference.high)]
    if not ends:
        return None
    low, high = padded(min([*ends, 0.0]), max([*ends, 0.0]), 0.04)
    across = LinearScale(low, high, Span(LEFT, RIGHT))
    plots = tuple(_plot(name, found, across) for name, found in rows.items())
    return PlotGroup(FOREST_TITLE, FOREST_CAPTION, {"measure": escape(measure)}, plots)


def _rows(report: Report, name: str, measure: str) -> list[ForestRow]:
    found = [
        ForestRow(task.name, system.differences[measure])
        for task in report.tasks
        for system in compared(task, measure)
        if system.name == name
    ]
    overall = overall_of(report, name)
    if overall is not None and measure in overall.differences and len(found) > 1:
        found.append(ForestRow("", overall.differences[measure]))
    return found


def _plot(name: str, rows: Sequence[ForestRow], across: LinearScale) -> Plot:
    bottom = TOP + len(rows) * ROW + 4
    drawing = [
        *_grid(across, bottom),
        *(mark for place, row in enumerate(rows) for mark in _row(row, TOP + (place + 0.5) * ROW, across)),
        words(((LEFT + RIGHT) / 2, bottom + 37), FOREST_AXIS, "axis middle"),
    ]
    return Plot(data(name), EMPTY, bottom + 46, tuple(drawing))


def _grid(across: LinearScale, bottom: float) -> list[Markup]:
    drawn = []
    for tick in across.ticks(4):
        x = across.at(tick)
        css = "zero" if abs(tick) < 1e-9 else "grid"
        drawn += [line((x, TOP), (x, bottom), css), word((x, bottom + 17), signed_tick(tick), "tick middle")]
    return drawn


def _row(row: ForestRow, y: float, across: LinearScale) -> list[Markup]:
    found = row.difference
    x, left, right = (across.at(value) for value in (found.mean, found.low, found.high))
    says = verdict(found)
    hover = f"{signed_points(found.mean)} {interval(found.low, found.high)}, p {p_value(found.p_holm)}"
    title = element("title", {}, escape(hover))
    css = {"better": "forest better", "worse": "forest worse", "unclear": "forest unclear"}[says]
    value = word((WIDTH - 2, y + 4), signed_points(found.mean), "tick strong end" if says != "unclear" else "tick end")
    if not row.task:
        diamond = f"M{left:.1f} {y:.1f}L{x:.1f} {y - 6:.1f}L{right:.1f} {y:.1f}L{x:.1f} {y + 6:.1f}z"
        label = words((LEFT - 8, y + 4), ALL_TASKS, "label strong end")
        return [label, element("path", {"class": css, "d": diamond}, title), value]
    return [
        name_at((LEFT - 8, y + 4), row.task, NAME_ROOM, "label end"),
        line((left, y), (right, y), f"interval {says}"),
        element("circle", {"class": css, "cx": x, "cy": y, "r": 4.5}, title),
        value,
    ]
