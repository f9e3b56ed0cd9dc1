"""Differences question by question: whether a mean is many small gains or a few large ones."""

from __future__ import annotations

from collections.abc import Sequence

from secondpass.evaluate.markup import EMPTY, Markup, both, data, element, escape, number
from secondpass.evaluate.page_numbers import count, points, signed_points
from secondpass.evaluate.page_reading import question_differences
from secondpass.evaluate.plot_texts import (
    BETTER_COUNT,
    QUESTIONS_A_BAR,
    QUESTIONS_CAPTION,
    QUESTIONS_TITLE,
    SAME_COUNT,
    WORSE_COUNT,
)
from secondpass.evaluate.plots import LinearScale, Plot, PlotGroup, Span, line, word, words
from secondpass.evaluate.records import SystemResult

HEIGHT = 230.0
LEFT, RIGHT, TOP, BOTTOM = 52.0, 432.0, 12.0, 200.0
SMALLEST = 1e-9


def question_plots(
    systems: Sequence[SystemResult], baseline: SystemResult, measure: str, columns: int
) -> PlotGroup | None:
    """Return the plots of ``systems``, each with at most ``columns`` bars; None where no question has both values."""
    plots = [plot for system in systems if (plot := _plot(system, baseline, columns)) is not None]
    if not plots:
        return None
    return PlotGroup(QUESTIONS_TITLE, QUESTIONS_CAPTION, {"measure": escape(measure)}, tuple(plots))


def _plot(system: SystemResult, baseline: SystemResult, columns: int) -> Plot | None:
    found = question_differences(system, baseline)
    if not found:
        return None
    group = -(-len(found) // columns)
    highest = max(0.01, *(abs(difference) for difference, _ in found))
    up = LinearScale(-highest, highest, Span(BOTTOM, TOP))
    across = LinearScale(0, len(found), Span(LEFT, RIGHT))
    bars = [
        _bar(found[start : start + group], start, across, up, (system, baseline))
        for start in range(0, len(found), group)
    ]
    drawing = (*_grid(up), *(bar for bar in bars if bar), *_counts(found))
    note = EMPTY if group == 1 else both(QUESTIONS_A_BAR, {"count": escape(count(group))})
    return Plot(data(system.name), note, HEIGHT, drawing)


def _grid(up: LinearScale) -> list[Markup]:
    drawn = []
    for tick in up.ticks(4):
        y = up.at(tick)
        css = "zero" if abs(tick) < SMALLEST else "grid"
        drawn += [line((LEFT, y), (RIGHT, y), css), word((LEFT - 6, y + 4), signed_points(tick), "tick end")]
    return drawn


def _bar(
    group: Sequence[tuple[float, str]],
    start: int,
    across: LinearScale,
    up: LinearScale,
    systems: tuple[SystemResult, SystemResult],
) -> Markup | None:
    mean = sum(difference for difference, _ in group) / len(group)
    if abs(mean) < SMALLEST:
        return None
    left, right = across.at(start), across.at(start + len(group))
    # A gap between bars only where they are wide enough to show one.
    width = (right - left) * (0.82 if right - left > 3 else 1)
    zero, height = up.at(0), up.at(mean) - up.at(0)
    # A path is half as long as a rectangle's attributes, and a page may have thousands.
    shape = f"M{number(left)} {number(zero)}h{number(width)}v{number(height)}h-{number(width)}z"
    css = "gain" if mean > 0 else "loss"
    return element("path", {"class": css, "d": shape}, element("title", {}, escape(_hover(group, systems))))


def _hover(group: Sequence[tuple[float, str]], systems: tuple[SystemResult, SystemResult]) -> str:
    if len(group) == 1:
        difference, query_id = group[0]
        system, baseline = systems
        before, after = points(baseline.per_query[query_id]), points(system.per_query[query_id])
        return f"{_cut(query_id)}: {before} → {after} ({signed_points(difference)})"
    (first, first_id), (last, last_id) = group[0], group[-1]
    return f"{_cut(first_id)} {signed_points(first)} … {_cut(last_id)} {signed_points(last)} (n = {len(group)})"


def _cut(query_id: str) -> str:
    return query_id if len(query_id) <= 40 else f"{query_id[:39]}…"


def _counts(found: Sequence[tuple[float, str]]) -> list[Markup]:
    losses = sum(difference < -SMALLEST for difference, _ in found)
    gains = sum(difference > SMALLEST for difference, _ in found)
    places = (
        (LEFT, WORSE_COUNT, losses, "tick"),
        ((LEFT + RIGHT) / 2, SAME_COUNT, len(found) - losses - gains, "tick middle"),
        (RIGHT, BETTER_COUNT, gains, "tick end"),
    )
    return [words((x, HEIGHT - 8), text, css, {"count": escape(count(value))}) for x, text, value, css in places]
