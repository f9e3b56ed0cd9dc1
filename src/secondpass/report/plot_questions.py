"""Differences question by question: whether a mean is many small gains or a few large ones."""

from __future__ import annotations

from collections.abc import Sequence

from secondpass.evaluate.records import SystemResult
from secondpass.report.markup import EMPTY, Markup, both, data, element, escape, number
from secondpass.report.page_numbers import count, points, signed_points, signed_tick
from secondpass.report.page_reading import question_differences
from secondpass.report.plot_texts import (
    BETTER_COUNT,
    QUESTIONS_A_BAR,
    QUESTIONS_CAPTION,
    QUESTIONS_TITLE,
    SAME_COUNT,
    WORSE_COUNT,
)
from secondpass.report.plots import LinearScale, Plot, PlotGroup, Span, line, word, words

HEIGHT = 196.0
LEFT, RIGHT, TOP, BOTTOM = 40.0, 356.0, 8.0, 168.0
SMALLEST = 1e-9


def question_plots(
    systems: Sequence[SystemResult], baseline: SystemResult, measure: str, columns: int
) -> PlotGroup | None:
    """Return the plots of ``systems``, each with at most ``columns`` bars; None where no question has both values."""
    found = {place: question_differences(system, baseline) for place, system in enumerate(systems)}
    ends = [abs(difference) for differences in found.values() for difference, _ in differences]
    if not ends:
        return None
    # One scale for all, or a system that changes little would look like one that changes much.
    highest = max(*ends, 0.01)
    plots = [
        _plot((system, baseline), found[place], highest, columns)
        for place, system in enumerate(systems)
        if found[place]
    ]
    return PlotGroup(QUESTIONS_TITLE, QUESTIONS_CAPTION, {"measure": escape(measure)}, tuple(plots))


def _plot(
    systems: tuple[SystemResult, SystemResult], found: Sequence[tuple[float, str]], highest: float, columns: int
) -> Plot:
    group = -(-len(found) // columns)
    up = LinearScale(-highest, highest, Span(BOTTOM, TOP))
    across = LinearScale(0, len(found), Span(LEFT, RIGHT))
    gains: list[Markup] = []
    losses: list[Markup] = []
    for start in range(0, len(found), group):
        together = found[start : start + group]
        mean = sum(difference for difference, _ in together) / len(together)
        if abs(mean) > SMALLEST:
            bar = _bar(mean, (across.at(start), across.at(start + len(together))), up, _hover(together, systems))
            (gains if mean > 0 else losses).append(bar)
    shapes = (element("g", {"class": "loss"}, *losses), element("g", {"class": "gain"}, *gains))
    drawing = (*_grid(up), *shapes, *_counts(found))
    note = EMPTY if group == 1 else both(QUESTIONS_A_BAR, {"count": escape(count(group))})
    return Plot(data(systems[0].name), note, HEIGHT, drawing)


def _grid(up: LinearScale) -> list[Markup]:
    drawn = []
    for tick in up.ticks(4):
        y = up.at(tick)
        css = "zero" if abs(tick) < SMALLEST else "grid"
        drawn += [line((LEFT, y), (RIGHT, y), css), word((LEFT - 6, y + 4), signed_tick(tick), "tick end")]
    return drawn


def _bar(mean: float, sides: tuple[float, float], up: LinearScale, hover: str) -> Markup:
    left, right = sides
    # A gap between bars only where they are wide enough to show one.
    width = (right - left) * (0.82 if right - left > 3 else 1)
    zero, height = up.at(0), up.at(mean) - up.at(0)
    # A path is half as long as a rectangle's attributes, and a page may have thousands.
    shape = f"M{number(left)} {number(zero)}h{number(width)}v{number(height)}h-{number(width)}z"
    return element("path", {"d": shape}, element("title", {}, escape(hover)))


def _hover(group: Sequence[tuple[float, str]], systems: tuple[SystemResult, SystemResult]) -> str:
    if len(group) == 1:
        difference, query_id = group[0]
        system, baseline = systems
        before, after = points(baseline.per_query[query_id]), points(system.per_query[query_id])
        return f"{_cut(query_id)}: {before} → {after} ({signed_points(difference)})"
    (first, first_id), (last, last_id) = group[0], group[-1]
    # The one that changed most is named; the others lie between.
    lower, upper = f"{signed_points(first)}", f"{signed_points(last)}"
    if abs(first) > abs(last):
        lower = f"{_cut(first_id)} {lower}"
    else:
        upper = f"{_cut(last_id)} {upper}"
    return f"{lower} … {upper} (n = {len(group)})"


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
