"""A sweep drawn: characters for the terminal, and an SVG that a browser shows by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from secondpass.merge.sweep import Sweep, TaskValue
from secondpass.report.markup import Markup, element, escape

_ROWS = 11
_COLUMNS = 6
_WIDTH, _HEIGHT = 640, 360
_LEFT, _TOP, _RIGHT, _BOTTOM = 64, 28, 620, 310
_TARGET, _GENERAL = "#0b6bcb", "#b45309"


def text_plot(found: Sweep) -> str:
    """Return the line as characters: ● target, ○ general, ◉ both; ▲ stands below the chosen weight."""
    low, high = _borders(found)
    rows = [[" "] * (_COLUMNS * len(found.points)) for _ in range(_ROWS)]

    def draw(mark: str, value: float, column: int) -> None:
        row = _ROWS - 1 - round((value - low) / (high - low) * (_ROWS - 1))
        cell = rows[row][column]
        rows[row][column] = mark if cell == " " else "◉"

    for index, point in enumerate(found.points):
        column = index * _COLUMNS + 2
        draw("●", point.target.mean, column)
        if point.general:
            draw("○", point.general.mean, column)
    labels = [high - (high - low) * index / (_ROWS - 1) for index in range(_ROWS)]
    lines = [f"{100 * label:6.1f} ┤{''.join(row).rstrip()}" for label, row in zip(labels, rows, strict=True)]
    weights = "".join(f"{point.weight:^{_COLUMNS}.2g}" for point in found.points)
    chosen = "".join(f"{'▲' if point.weight == found.chosen else '':^{_COLUMNS}}" for point in found.points)
    legend = f"● {found.target}" + (f"   ○ {found.general}" if found.general else "")
    return "\n".join(
        [*lines, f"       └{'─' * len(weights)}", f"        {weights}", f"        {chosen}".rstrip(), legend]
    )


def svg_plot(found: Sweep) -> str:
    """Return the line as an SVG: both tasks with their intervals, the chosen weight marked."""
    low, high = _borders(found, intervals=True)
    drawing = _Drawing(low, high)
    parts = [element("rect", {"width": _WIDTH, "height": _HEIGHT, "fill": "#ffffff"})]
    for index in range(5):
        value = low + (high - low) * index / 4
        parts.append(_line(_LEFT, drawing.y(value), _RIGHT, drawing.y(value), "#e2e2e2"))
        parts.append(_word(_LEFT - 8, drawing.y(value) + 4, f"{100 * value:.1f}", "end"))
    parts += [_word(drawing.x(point.weight), _BOTTOM + 18, f"{point.weight:g}", "middle") for point in found.points]
    parts.append(_line(drawing.x(found.chosen), _TOP, drawing.x(found.chosen), _BOTTOM, "#777777"))
    parts += drawing.series([(point.weight, point.target) for point in found.points], _TARGET)
    parts += _legend(0, f"{found.target} {found.measure}", _TARGET)
    if found.general:
        parts += drawing.series([(point.weight, point.general) for point in found.points if point.general], _GENERAL)
        parts += _legend(1, f"{found.general} {found.measure}", _GENERAL)
    parts.append(_word((_LEFT + _RIGHT) / 2, _HEIGHT - 8, f"{found.base} (0) – {found.tuned} (1)", "middle"))
    box = {"xmlns": "http://www.w3.org/2000/svg", "viewBox": f"0 0 {_WIDTH} {_HEIGHT}", "font-family": "sans-serif"}
    return element("svg", {**box, "font-size": 12}, *parts) + "\n"


@dataclass(frozen=True, slots=True)
class _Drawing:
    """Where values between ``low`` and ``high`` lie."""

    low: float
    high: float

    def x(self, weight: float) -> float:
        return _LEFT + weight * (_RIGHT - _LEFT)

    def y(self, value: float) -> float:
        return _BOTTOM - (value - self.low) / (self.high - self.low) * (_BOTTOM - _TOP)

    def series(self, points: Sequence[tuple[float, TaskValue]], colour: str) -> list[Markup]:
        path = " ".join(f"{self.x(weight):.1f},{self.y(value.mean):.1f}" for weight, value in points)
        drawn = [element("polyline", {"points": path, "fill": "none", "stroke": colour, "stroke-width": 2})]
        for weight, value in points:
            drawn.append(_line(self.x(weight), self.y(value.low), self.x(weight), self.y(value.high), colour))
            drawn.append(element("circle", {"cx": self.x(weight), "cy": self.y(value.mean), "r": 4, "fill": colour}))
        return drawn


def _legend(index: int, text: str, colour: str) -> list[Markup]:
    left = _LEFT + 260 * index
    square = element("rect", {"x": left, "y": 4, "width": 12, "height": 12, "fill": colour})
    return [square, _word(left + 18, 14, text, "start")]


def _borders(found: Sweep, intervals: bool = False) -> tuple[float, float]:
    values: list[float] = []
    for point in found.points:
        for value in (point.target, point.general):
            if value:
                values += [value.low, value.high] if intervals else [value.mean]
    return _apart(values)


def _apart(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    return (low, high) if high - low > 1e-6 else (low - 0.005, high + 0.005)


def _line(x1: float, y1: float, x2: float, y2: float, colour: str) -> Markup:
    return element("line", {"x1": x1, "y1": y1, "x2": x2, "y2": y2, "stroke": colour})


def _word(x: float, y: float, text: str, anchor: str) -> Markup:
    return element("text", {"x": x, "y": y, "text-anchor": anchor, "fill": "#333333"}, escape(text))
