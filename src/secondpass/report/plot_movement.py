"""Where relevant passages went: ranks before against ranks after, as a table of shaded counts."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from secondpass.evaluate.records import SystemResult
from secondpass.report.markup import Attributes, Markup, Text, both, data, element, escape, number
from secondpass.report.page_numbers import count
from secondpass.report.plot_texts import (
    AFTER_AXIS,
    BEFORE_AXIS,
    CUT_RANK,
    MOVEMENT_CAPTION,
    MOVEMENT_NOTE,
    MOVEMENT_TITLE,
)
from secondpass.report.plots import Plot, PlotGroup, turned_words, words

BORDERS = ((1, 1), (2, 2), (3, 3), (4, 5), (6, 10), (11, 20), (21, 50), (51, 100), (101, 0))
LEFT, TOP, RIGHT = 66.0, 8.0, 358.0
ROW = 27.0
STRONG_SHADE = 0.62


def movement_plots(systems: Sequence[SystemResult]) -> PlotGroup | None:
    """Return the plots of the systems of which movements are known; None where there is none."""
    moved = [system for system in systems if system.movement]
    buckets = _buckets(pair for system in moved for pair in system.movement)
    plots = [_plot(system.name, system.movement, buckets) for system in moved]
    return PlotGroup(MOVEMENT_TITLE, MOVEMENT_CAPTION, {}, tuple(plots)) if plots else None


def _buckets(movement: Iterable[tuple[int, int]]) -> list[int]:
    """Return all buckets up to the last one used, so that distances mean the same everywhere; "cut" where any is."""
    used = sorted({_bucket(rank) for pair in movement for rank in pair})
    last = max((bucket for bucket in used if bucket < len(BORDERS)), default=0)
    return [*range(last + 1), *(bucket for bucket in used if bucket == len(BORDERS))]


def _plot(name: str, movement: Sequence[tuple[int, int]], buckets: Sequence[int]) -> Plot:
    cells = Counter((_bucket(before), _bucket(after)) for before, after in movement)
    width = (RIGHT - LEFT) / len(buckets)
    drawing = [*_grid(len(buckets), width), *_cells(cells, buckets, width)]
    drawing += _names(buckets, width)
    height = TOP + len(buckets) * ROW + 46
    up = sum(_place(after) < _place(before) for before, after in movement)
    down = sum(_place(after) > _place(before) for before, after in movement)
    sums = {"up": up, "down": down, "same": len(movement) - up - down}
    note = both(MOVEMENT_NOTE, {key: escape(count(value)) for key, value in sums.items()})
    return Plot(data(name), note, height, tuple(drawing))


def _place(rank: int) -> float:
    return rank if rank > 0 else math.inf


def _bucket(rank: int) -> int:
    if rank <= 0:
        return len(BORDERS)
    return next(place for place, (low, high) in enumerate(BORDERS) if low <= rank <= (high or rank))


def _bucket_name(bucket: int) -> Text:
    if bucket == len(BORDERS):
        return CUT_RANK
    low, high = BORDERS[bucket]
    shown = f"{low}" if low == high else f"{low}–{high}" if high else f"{low}+"
    return Text(shown, shown)


def _grid(size: int, width: float) -> list[Markup]:
    right, bottom = number(LEFT + size * width), number(TOP + size * ROW)
    rows = "".join(f"M{number(LEFT)} {number(TOP + turn * ROW)}H{right}" for turn in range(size + 1))
    columns = "".join(f"M{number(LEFT + turn * width)} {number(TOP)}V{bottom}" for turn in range(size + 1))
    stairs = "".join(_square(LEFT + turn * width, TOP + turn * ROW, width) for turn in range(size))
    return [element("path", {"class": "grid", "d": rows + columns}), element("path", {"class": "stay", "d": stairs})]


def _square(x: float, y: float, width: float) -> str:
    return f"M{number(x + 1)} {number(y + 1)}h{number(width - 2)}v{number(ROW - 2)}h-{number(width - 2)}z"


def _cells(cells: Mapping[tuple[int, int], int], buckets: Sequence[int], width: float) -> list[Markup]:
    most = max(cells.values())
    shades: list[Markup] = []
    light: list[Markup] = []
    strong: list[Markup] = []
    for (before, after), passages in sorted(cells.items()):
        x, y = LEFT + buckets.index(before) * width, TOP + buckets.index(after) * ROW
        # The root of the share: a cell of ten beside one of a thousand is still seen.
        shade = math.sqrt(passages / most)
        # Written out: a coordinate's one digit would make bands of the shades.
        shades.append(element("path", {"fill-opacity": f"{shade * 0.85:.2f}", "d": _square(x, y, width)}))
        place: Attributes = {"x": x + width / 2, "y": y + ROW / 2 + 4}
        (strong if shade > STRONG_SHADE else light).append(element("text", place, escape(count(passages))))
    return [
        element("g", {"class": "cell"}, *shades),
        element("g", {"class": "cell-count"}, *light),
        element("g", {"class": "cell-count strong"}, *strong),
    ]


def _names(buckets: Sequence[int], width: float) -> list[Markup]:
    bottom = TOP + len(buckets) * ROW
    drawn = []
    for place, bucket in enumerate(buckets):
        name = _bucket_name(bucket)
        drawn.append(words((LEFT - 6, TOP + place * ROW + ROW / 2 + 4), name, "tick end"))
        drawn.append(words((LEFT + (place + 0.5) * width, bottom + 16), name, "tick middle"))
    drawn.append(words(((LEFT + RIGHT) / 2, bottom + 37), BEFORE_AXIS, "axis middle"))
    drawn.append(turned_words((13.0, (TOP + bottom) / 2), AFTER_AXIS))
    return drawn
