"""What all plots are drawn with: scales, ticks, labels that fit, and the figure around a drawing."""

from __future__ import annotations

import math
import unicodedata
from dataclasses import dataclass

from secondpass.report.markup import (
    EMPTY,
    Attributes,
    Markup,
    Text,
    both,
    element,
    escape,
    join,
    number,
    tagged,
    visible,
)

WIDTH = 360.0
"""Width of a plot in its own units, which is that of a phone: there letters are drawn in full size."""
FONT_SIZE = 12.0


@dataclass(frozen=True, slots=True)
class Span:
    """Where an axis lies on the drawing: from ``start`` to ``end``, in its units."""

    start: float
    end: float


@dataclass(frozen=True, slots=True)
class LinearScale:
    """Values from ``low`` to ``high`` laid out evenly."""

    low: float
    high: float
    span: Span

    def at(self, value: float) -> float:
        """Return where ``value`` is drawn; values outside are drawn at the border."""
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return self.span.start + share * (self.span.end - self.span.start)

    def ticks(self, wanted: int) -> list[float]:
        """Return about ``wanted`` round values."""
        rough = (self.high - self.low) / max(wanted, 1)
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [turn * step for turn in range(first, last + 1)]


@dataclass(frozen=True, slots=True)
class LogScale:
    """Values from ``low`` to ``high``, both above 0, laid out by their logarithm."""

    low: float
    high: float
    span: Span

    def at(self, value: float) -> float:
        """Return where ``value`` is drawn; values outside are drawn at the border."""
        bounded = min(max(value, self.low), self.high)
        share = math.log(bounded / self.low) / math.log(self.high / self.low)
        return self.span.start + share * (self.span.end - self.span.start)

    def ticks(self) -> list[float]:
        """Return 1, 2 and 5 of every power of ten, or the powers alone where there are many."""
        powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        factors = (1, 2, 5) if len(powers) <= 4 else (1,)
        values = [10.0**power * factor for power in powers for factor in factors]
        return [value for value in values if self.low * 0.999 <= value <= self.high * 1.001]


def padded(low: float, high: float, share: float = 0.06) -> tuple[float, float]:
    """Return borders a little wider than ``low`` and ``high``, and never equal."""
    room = (high - low) * share or max(abs(high) * share, 0.01)
    return low - room, high + room


def text_width(text: str, size: float = FONT_SIZE) -> float:
    """Estimate how wide ``text`` is drawn: a Chinese character is a square, a Latin letter about half of one."""
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in text)
    return size * (wide + 0.57 * (len(text) - wide))


def shortened(text: str, room: float, size: float = FONT_SIZE) -> str:
    """Return ``text``, its middle left out where it is wider than ``room``.

    >>> shortened("BAAI/bge-reranker-v2-m3@3", 90)
    'BAAI/b…2-m3@3'
    """
    shown = visible(text)
    if text_width(shown, size) <= room:
        return shown
    for kept in range(len(shown) - 1, 1, -1):
        short = f"{shown[: kept - kept // 2]}…{shown[len(shown) - kept // 2 :]}"
        if text_width(short, size) <= room:
            return short
    return "…"


def line(start: tuple[float, float], end: tuple[float, float], css: str) -> Markup:
    """Return a straight line."""
    return element(
        "path", {"class": css, "d": f"M{number(start[0])} {number(start[1])}L{number(end[0])} {number(end[1])}"}
    )


def word(place: tuple[float, float], text: str, css: str, hover: str = "") -> Markup:
    """Return a text that is the same in both languages, with its full form for who hovers."""
    title = element("title", {}, escape(hover)) if hover and hover != text else EMPTY
    return element("text", {"x": place[0], "y": place[1], "class": css}, title, escape(text))


def name_at(place: tuple[float, float], name: str, room: float, css: str) -> Markup:
    """Return a name, shortened to ``room``, whole for who hovers."""
    return word(place, shortened(name, room), css, visible(name))


def words(place: tuple[float, float], text: Text, css: str, values: dict[str, Markup] | None = None) -> Markup:
    """Return a text in both languages, once where they are the same."""
    if text.en == text.zh and not values:
        return word(place, text.en, css)
    return tagged("text", {"x": place[0], "y": place[1], "class": css}, text, values)


def turned_words(place: tuple[float, float], text: Text, values: dict[str, Markup] | None = None) -> Markup:
    """Return the title of an upright axis, read from below."""
    turn = f"rotate(-90 {place[0]:.1f} {place[1]:.1f})"
    attributes: Attributes = {"x": place[0], "y": place[1], "class": "axis middle", "transform": turn}
    return tagged("text", attributes, text, values)


@dataclass(frozen=True, slots=True)
class Plot:
    """A drawing, whose it is, and a short note; ``width`` and ``height`` in its own units."""

    name: Markup
    note: Markup
    height: float
    drawing: tuple[Markup, ...]
    width: float = WIDTH


@dataclass(frozen=True, slots=True)
class PlotGroup:
    """Drawings of one form, one a system, with one title and one sentence on how to read them."""

    title: Text
    caption: Text
    values: dict[str, Markup]
    plots: tuple[Plot, ...]


def figure(group: PlotGroup, identifier: str) -> Markup:
    """Return a group of plots as one figure."""
    head = element("div", {"class": "plot-title", "id": f"{identifier}-title"}, both(group.title, group.values))
    caption = element("figcaption", {"id": f"{identifier}-caption"}, both(group.caption, group.values))
    panels = [_panel(plot, identifier, place) for place, plot in enumerate(group.plots, start=1)]
    css = "plot" if len(panels) == 1 else "plot several"
    return element("figure", {"class": css, "id": identifier}, head, caption, *panels)


def _panel(plot: Plot, identifier: str, place: int) -> Markup:
    """Return one drawing, named by elements that show one language: an aria-label would have to choose."""
    name = f"{identifier}-{place}"
    attributes: Attributes = {
        "viewBox": f"0 0 {plot.width:.0f} {plot.height:.0f}",
        "width": plot.width,
        "height": plot.height,
        "role": "img",
        "aria-labelledby": f"{identifier}-title {name}" if plot.name else f"{identifier}-title",
        "aria-describedby": f"{identifier}-caption",
    }
    drawn = element("svg", attributes, join(plot.drawing))
    if not plot.name:
        return drawn
    note = element("small", {}, plot.note) if plot.note else EMPTY
    return element(
        "div", {"class": "panel"}, element("div", {"class": "panel-name", "id": name}, plot.name, note), drawn
    )
