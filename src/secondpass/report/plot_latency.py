"""Quality against latency: what is worth its time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from secondpass.evaluate.records import Estimate, Report, TaskResult
from secondpass.report.markup import EMPTY, Markup, Text, data, element, escape
from secondpass.report.page_numbers import amount, interval, points, tick
from secondpass.report.page_reading import baseline_of, compared, first_measure, overall_of, tried_names
from secondpass.report.plot_texts import (
    CEILING_LINE,
    LATENCY_AXIS,
    LATENCY_CAPTION,
    LATENCY_MIXED_CAPTION,
    LATENCY_OVERALL_CAPTION,
    LATENCY_TITLE,
    POINTS_AXIS,
)
from secondpass.report.plots import (
    FONT_SIZE,
    LinearScale,
    LogScale,
    Plot,
    PlotGroup,
    Span,
    line,
    name_at,
    padded,
    turned_words,
    word,
    words,
)

WIDTH, HEIGHT = 440.0, 330.0
LEFT, RIGHT, TOP, BOTTOM = 52.0, 428.0, 14.0, 282.0
LABEL_ROOM = 150.0
LABEL_STEP = 15.0


@dataclass(frozen=True, slots=True)
class TimedSystem:
    """A system that takes time; ``milliseconds`` are of half of the questions at most, ``tail`` of 95%."""

    name: str
    kind: str
    milliseconds: float
    tail: float | None
    quality: Estimate


@dataclass(frozen=True, slots=True)
class LatencyPlot:
    """What is drawn: the systems that take time, the baseline that takes none (where it is one), and the ceiling."""

    measure: str
    baseline_name: str
    baseline: Estimate | None
    ceiling: Estimate | None
    systems: tuple[TimedSystem, ...]
    caption: Text


def pareto_front(systems: Sequence[TimedSystem], floor: float) -> list[TimedSystem]:
    """Return the systems that no other beats in both quality and time, the fastest first, all above ``floor``."""
    front: list[TimedSystem] = []
    best = floor
    for system in sorted(systems, key=lambda one: (one.milliseconds, -one.quality.mean)):
        if system.quality.mean > best:
            front.append(system)
            best = system.quality.mean
    return front


def latency_of_task(task: TaskResult, report: Report) -> PlotGroup | None:
    """Return the plot of one task, None where no system was timed."""
    measure, baseline = first_measure(report), baseline_of(task)
    if baseline is None or measure not in baseline.measures:
        return None
    timed = [
        TimedSystem(system.name, system.kind, system.cost.p50_ms, system.cost.p95_ms, system.measures[measure])
        for system in compared(task, measure)
        if system.cost is not None and system.cost.p50_ms is not None and system.cost.p50_ms > 0
    ]
    ceiling = next((one.measures.get(measure) for one in task.systems if one.kind == "ceiling"), None)
    shown = LatencyPlot(measure, task.baseline, baseline.measures[measure], ceiling, tuple(timed), LATENCY_CAPTION)
    return _plot(shown) if timed else None


def latency_over_tasks(report: Report) -> PlotGroup | None:
    """Return the plot over all tasks, None where there are no figures over all."""
    measure, names = first_measure(report), {task.baseline for task in report.tasks}
    row = overall_of(report, next(iter(names))) if len(names) == 1 else None
    baseline = None if row is None else row.measures.get(measure)
    kinds = {system.name: system.kind for task in report.tasks for system in task.systems}
    timed = []
    for name in tried_names(report.tasks):
        row, mean = overall_of(report, name), _mean_milliseconds(report, name)
        if row is not None and mean is not None and measure in row.measures:
            timed.append(TimedSystem(name, kinds[name], mean, None, row.measures[measure]))
    ceilings = [one.name for task in report.tasks for one in task.systems if one.kind == "ceiling"]
    over_all = overall_of(report, ceilings[0]) if ceilings else None
    ceiling = None if over_all is None else over_all.measures.get(measure)
    name, caption = (next(iter(names)), LATENCY_OVERALL_CAPTION) if baseline else ("", LATENCY_MIXED_CAPTION)
    shown = LatencyPlot(measure, name, baseline, ceiling, tuple(timed), caption)
    return _plot(shown) if timed else None


def _mean_milliseconds(report: Report, name: str) -> float | None:
    found = [
        system.cost.p50_ms
        for task in report.tasks
        for system in task.systems
        if system.name == name and system.cost is not None and system.cost.p50_ms
    ]
    # A mean over some of the tasks would not be comparable with one over all.
    if len(found) < len(report.tasks):
        return None
    return math.exp(sum(math.log(value) for value in found) / len(found))


def _plot(shown: LatencyPlot) -> PlotGroup:
    times = [value for one in shown.systems for value in (one.milliseconds, one.tail) if value]
    across = LogScale(min(times) / 1.8, max(times) * 2.2, Span(LEFT, RIGHT))
    ends = [value for one in shown.systems for value in (one.quality.low, one.quality.high)]
    if shown.baseline is not None:
        ends.append(shown.baseline.mean)
    low, high = padded(min(ends), max(ends), 0.1)
    up = LinearScale(low, high, Span(BOTTOM, TOP))
    values = {"baseline": data(shown.baseline_name), "measure": escape(shown.measure)}
    drawing = (
        *_grid(across, up, values),
        *_baseline(shown, up),
        *_ceiling(shown, up),
        _front(shown, across, up),
        *(mark for system in shown.systems for mark in _system(system, across, up)),
        *_labels(shown.systems, across, up),
    )
    return PlotGroup(LATENCY_TITLE, shown.caption, values, (Plot(EMPTY, EMPTY, HEIGHT, drawing, WIDTH),))


def _grid(across: LogScale, up: LinearScale, values: dict[str, Markup]) -> list[Markup]:
    drawn = []
    for value in across.ticks():
        x = across.at(value)
        drawn += [line((x, TOP), (x, BOTTOM), "grid"), word((x, BOTTOM + 17), tick(value), "tick middle")]
    for share in up.ticks(5):
        y = up.at(share)
        drawn += [line((LEFT, y), (RIGHT, y), "grid"), word((LEFT - 6, y + 4), tick(share * 100), "tick end")]
    middle = (LEFT + RIGHT) / 2
    drawn += [
        words((middle, HEIGHT - 8), LATENCY_AXIS, "axis middle"),
        turned_words((13.0, (TOP + BOTTOM) / 2), POINTS_AXIS, values),
    ]
    return drawn


def _baseline(shown: LatencyPlot, up: LinearScale) -> list[Markup]:
    if shown.baseline is None:
        return []
    y = up.at(shown.baseline.mean)
    label = name_at((RIGHT - 4, y - 5), shown.baseline_name, LABEL_ROOM, "label quiet end")
    return [line((LEFT, y), (RIGHT, y), "baseline-line"), label]


def _ceiling(shown: LatencyPlot, up: LinearScale) -> list[Markup]:
    if shown.ceiling is None:
        return []
    values = {"value": escape(points(shown.ceiling.mean))}
    # Where the ceiling is far above everything, drawing it would press all systems into one line.
    if shown.ceiling.mean > up.high:
        values["value"] = escape(f"{points(shown.ceiling.mean)} ↑")
        return [words((LEFT + 5, TOP + 11), CEILING_LINE, "label quiet", values)]
    y = up.at(shown.ceiling.mean)
    return [line((LEFT, y), (RIGHT, y), "ceiling-line"), words((LEFT + 5, y - 5), CEILING_LINE, "label quiet", values)]


def _front(shown: LatencyPlot, across: LogScale, up: LinearScale) -> Markup:
    floor = up.low if shown.baseline is None else shown.baseline.mean
    front = pareto_front(shown.systems, floor)
    path = f"M{LEFT:.1f} {up.at(floor):.1f}"
    for system in front:
        path += f"H{across.at(system.milliseconds):.1f}V{up.at(system.quality.mean):.1f}"
    return element("path", {"class": "front", "d": f"{path}H{RIGHT:.1f}"})


def _system(system: TimedSystem, across: LogScale, up: LinearScale) -> list[Markup]:
    x, y = across.at(system.milliseconds), up.at(system.quality.mean)
    bar = line((x, up.at(system.quality.low)), (x, up.at(system.quality.high)), "interval")
    hover = (
        f"{system.name}: {points(system.quality.mean)} {interval(system.quality.low, system.quality.high)}, "
        f"p50 {amount(system.milliseconds)} ms"
    )
    drawn = [bar]
    if system.tail is not None and system.tail > system.milliseconds:
        drawn.append(line((x, y), (across.at(system.tail), y), "tail"))
        hover += f", p95 {amount(system.tail)} ms"
    title = element("title", {}, escape(hover))
    if system.kind == "reranker":
        return [*drawn, element("circle", {"class": "dot", "cx": x, "cy": y, "r": 5.0}, title)]
    diamond = f"M{x:.1f} {y - 6:.1f}l6 6l-6 6l-6 -6z"
    return [*drawn, element("path", {"class": "dot other", "d": diamond}, title)]


def _labels(systems: Sequence[TimedSystem], across: LogScale, up: LinearScale) -> list[Markup]:
    """Write the names beside the dots, the lower ones moved down where two would overlap."""
    drawn: list[Markup] = []
    taken: list[tuple[float, float, float]] = []
    for system in sorted(systems, key=lambda one: -one.quality.mean):
        x, y = across.at(system.milliseconds), up.at(system.quality.mean) - 6
        on_left = x > (LEFT + RIGHT) / 2
        room = min(LABEL_ROOM, (x - LEFT if on_left else RIGHT - x) - 12)
        start, end = (x - 9 - room, x - 9) if on_left else (x + 9, x + 9 + room)
        while any(abs(y - other) < LABEL_STEP and start < right and left < end for left, right, other in taken):
            y += 3
        taken.append((start, end, y))
        css = "label end" if on_left else "label"
        drawn.append(name_at((x - 9 if on_left else x + 9, min(y, BOTTOM - FONT_SIZE / 3)), system.name, room, css))
    return drawn
