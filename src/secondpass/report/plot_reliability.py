"""The reliability diagram: whether a probability of 0.7 is right seven times out of ten (Niculescu-Mizil 2005)."""

from __future__ import annotations

from collections.abc import Sequence

from secondpass.evaluate.records import Calibration, Reliability, SystemResult
from secondpass.report.markup import Attributes, Markup, both, data, element, escape
from secondpass.report.page_numbers import count
from secondpass.report.plot_texts import (
    CALIBRATION_NOTE,
    PROBABILITY_AXIS,
    RELEVANT_AXIS,
    RELIABILITY_CAPTION,
    RELIABILITY_TITLE,
)
from secondpass.report.plots import LinearScale, Plot, PlotGroup, Span, line, turned_words, word, words

HEIGHT = 344.0
LEFT, RIGHT, TOP, BOTTOM = 46.0, 346.0, 8.0, 234.0
BARS_TOP, BARS_BOTTOM = 242.0, 296.0
TICKS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


def reliability_plots(systems: Sequence[SystemResult]) -> PlotGroup | None:
    """Return the diagrams of the systems that give probabilities; None where none does."""
    plots = [
        plot
        for system in systems
        if system.calibration is not None and (plot := _plot(system.name, system.calibration)) is not None
    ]
    return PlotGroup(RELIABILITY_TITLE, RELIABILITY_CAPTION, {}, tuple(plots)) if plots else None


def _plot(name: str, calibration: Calibration) -> Plot | None:
    bins = [one for one in calibration.bins if one.pairs > 0]
    if not bins:
        return None
    across = LinearScale(0, 1, Span(LEFT, RIGHT))
    up = LinearScale(0, 1, Span(BOTTOM, TOP))
    drawing = (
        *_grid(across, up),
        line((across.at(0), up.at(0)), (across.at(1), up.at(1)), "diagonal"),
        _joined(bins, across, up),
        *(_dot(one, across, up) for one in bins),
        *_histogram(bins, across),
        words(((LEFT + RIGHT) / 2, HEIGHT - 8), PROBABILITY_AXIS, "axis middle"),
        turned_words((13.0, (TOP + BOTTOM) / 2), RELEVANT_AXIS),
    )
    note = both(CALIBRATION_NOTE, {"error": escape(f"{calibration.error:.3f}")})
    return Plot(data(name), note, HEIGHT, drawing)


def _grid(across: LinearScale, up: LinearScale) -> list[Markup]:
    drawn = []
    for tick in TICKS:
        x, y = across.at(tick), up.at(tick)
        drawn += [line((x, TOP), (x, BOTTOM), "grid"), line((LEFT, y), (RIGHT, y), "grid")]
        drawn += [word((LEFT - 6, y + 4), f"{tick:.1f}", "tick end")]
        drawn += [word((x, BARS_BOTTOM + 17), f"{tick:.1f}", "tick middle")]
    return drawn


def _joined(bins: Sequence[Reliability], across: LinearScale, up: LinearScale) -> Markup:
    places = " ".join(f"{across.at(one.probability):.1f},{up.at(one.relevant):.1f}" for one in bins)
    return element("polyline", {"class": "joined", "points": places})


def _dot(one: Reliability, across: LinearScale, up: LinearScale) -> Markup:
    place: Attributes = {"class": "dot", "cx": across.at(one.probability), "cy": up.at(one.relevant), "r": 4.5}
    return element("circle", place, element("title", {}, escape(_hover(one))))


def _hover(one: Reliability) -> str:
    return f"{one.low:.2f}–{one.high:.2f}: n = {count(one.pairs)}, p = {one.probability:.3f} → {one.relevant:.3f}"


def _histogram(bins: Sequence[Reliability], across: LinearScale) -> list[Markup]:
    most = max(one.pairs for one in bins)
    drawn = [line((LEFT, BARS_BOTTOM), (RIGHT, BARS_BOTTOM), "zero")]
    for one in bins:
        height = max((BARS_BOTTOM - BARS_TOP - 14) * one.pairs / most, 1.0)
        left, right = across.at(one.low), across.at(one.high)
        bar: Attributes = {
            "class": "bin",
            "x": left + 1,
            "y": BARS_BOTTOM - height,
            "width": max(right - left - 2, 1.0),
        }
        drawn.append(element("rect", {**bar, "height": height}, element("title", {}, escape(_hover(one)))))
        if right - left > 24:
            drawn.append(word(((left + right) / 2, BARS_BOTTOM - height - 3), _short(one.pairs), "tiny middle"))
    return drawn


def _short(pairs: int) -> str:
    return count(pairs) if pairs < 10_000 else f"{pairs / 1000:,.0f}k"
