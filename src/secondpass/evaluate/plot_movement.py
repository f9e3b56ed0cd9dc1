"""Where relevant passages went: ranks before against ranks after, as a table of shaded counts."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from secondpass.evaluate.markup import Attributes, Markup, Text, both, data, element, escape
from secondpass.evaluate.page_numbers import count
from secondpass.evaluate.plot_texts import (
    AFTER_AXIS,
    BEFORE_AXIS,
    CUT_RANK,
    MOVEMENT_CAPTION,
    MOVEMENT_NOTE,
    MOVEMENT_TITLE,
)
from secondpass.evaluate.plots import Plot, PlotGroup, turned_words, word, words
from secondpass.evaluate.records import SystemResult

BORDERS = ((1, 1), (2, 2), (3, 3), (4, 5), (6, 10), (11, 20), (21, 50), (51, 100), (101, 0))
LEFT, TOP, RIGHT = 74.0, 12.0, 436.0
ROW = 30.0
STRONG_SHADE = 0.62


def movement_plots(systems: Sequence[SystemResult]) -> PlotGroup | None:
    """Return the plots of the systems of which movements are known; None where there is none."""
    plots = [_plot(system.name, system.movement) for system in systems if system.movement]
    return PlotGroup(MOVEMENT_TITLE, MOVEMENT_CAPTION, {}, tuple(plots)) if plots else None


def _plot(name: str, movement: Sequence[tuple[int, int]]) -> Plot:
    cells = Counter((_bucket(before), _bucket(after)) for before, after in movement)
    used = sorted({bucket for cell in cells for bucket in cell})
    # All buckets up to the last one used, so that distances mean the same everywhere; "cut" only if there are any.
    last = max((bucket for bucket in used if bucket < len(BORDERS)), default=0)
    buckets = [*range(last + 1), *(bucket for bucket in used if bucket == len(BORDERS))]
    width = (RIGHT - LEFT) / len(buckets)
    most = max(cells.values())
    drawing = _grid(len(buckets), width)
    for (before, after), passages in sorted(cells.items()):
        corner = (LEFT + buckets.index(before) * width, TOP + buckets.index(after) * ROW)
        drawing += _cell(corner, width, passages, passages / most)
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
    right, bottom = LEFT + size * width, TOP + size * ROW
    rows = "".join(f"M{LEFT:.1f} {TOP + turn * ROW:.1f}H{right:.1f}" for turn in range(size + 1))
    columns = "".join(f"M{LEFT + turn * width:.1f} {TOP:.1f}V{bottom:.1f}" for turn in range(size + 1))
    stairs = "".join(
        f"M{LEFT + turn * width + 1:.1f} {TOP + turn * ROW + 1:.1f}h{width - 2:.1f}v{ROW - 2:.1f}h{2 - width:.1f}z"
        for turn in range(size)
    )
    return [element("path", {"class": "grid", "d": rows + columns}), element("path", {"class": "stay", "d": stairs})]


def _cell(corner: tuple[float, float], width: float, passages: int, share: float) -> list[Markup]:
    x, y = corner
    # The root of the share: a cell of ten beside one of a thousand is still seen.
    shade = math.sqrt(share)
    place: Attributes = {"x": x + 1, "y": y + 1, "width": width - 2, "height": ROW - 2}
    # Written out: a coordinate's one digit would make bands of the shades.
    shaded = element("rect", {**place, "class": "cell", "fill-opacity": f"{shade * 0.85:.2f}"})
    css = "cell-count strong" if shade > STRONG_SHADE else "cell-count"
    return [shaded, word((x + width / 2, y + ROW / 2 + 4), count(passages), css)]


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
