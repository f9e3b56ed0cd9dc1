"""Numbers as the page writes them: points with one digit, p with three, a real minus."""

from __future__ import annotations

import math

ABSENT = "–"


def points(share: float) -> str:
    """Return a measure between 0 and 1 in points of a hundred.

    >>> points(0.7434), points(-0.021), points(-0.0001)
    ('74.3', '−2.1', '0.0')
    """
    if not math.isfinite(share):
        return ABSENT
    shown = f"{share * 100:.1f}"
    return "0.0" if shown == "-0.0" else shown.replace("-", "−")


def signed_points(share: float) -> str:
    """Return a difference in points, with its sign.

    >>> signed_points(0.0123), signed_points(-0.0123), signed_points(0.0)
    ('+1.2', '−1.2', '0.0')
    """
    shown = points(share)
    return shown if shown in {ABSENT, "0.0"} or shown.startswith("−") else f"+{shown}"


def tick(value: float) -> str:
    """Return a number of an axis, with no more digits than it needs.

    >>> tick(5.0), tick(0.5), tick(10000.0), tick(-20.0)
    ('5', '0.5', '10,000', '−20')
    """
    return f"{round(value, 6):,g}".replace("-", "−") if abs(value) < 1000 else f"{value:,.0f}"


def signed_tick(share: float) -> str:
    """Return a difference in points, as a number of an axis.

    >>> signed_tick(0.05), signed_tick(-0.2), signed_tick(0.0)
    ('+5', '−20', '0')
    """
    shown = tick(share * 100)
    return f"+{shown}" if share > 0 and shown != "0" else shown.replace("−0", "0") if shown == "−0" else shown


def interval(low: float, high: float) -> str:
    """Return an interval in points.

    >>> interval(-0.004, 0.02)
    '[−0.4, 2.0]'
    """
    return f"[{points(low)}, {points(high)}]"


def p_value(value: float) -> str:
    """Return a p value with three digits.

    >>> p_value(0.0304), p_value(0.0001), p_value(1.0)
    ('0.030', '<0.001', '1.000')
    """
    if not math.isfinite(value):
        return ABSENT
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def percent(share: float | None) -> str:
    """Return a share in percent.

    >>> percent(0.234), percent(-0.12), percent(None)
    ('23%', '−12%', '–')
    """
    if share is None or not math.isfinite(share):
        return ABSENT
    shown = f"{share * 100:.0f}"
    return "0%" if shown == "-0" else f"{shown}%".replace("-", "−")


def amount(value: float | None) -> str:
    """Return a time, a speed or a count with about three digits.

    >>> amount(0.4231), amount(4.231), amount(42.4), amount(12345.6), amount(None)
    ('0.42', '4.2', '42', '12,346', '–')
    """
    if value is None or not math.isfinite(value):
        return ABSENT
    digits = 0 if abs(value) >= 10 or value == 0 else 1 if abs(value) >= 1 else 2
    return f"{value:,.{digits}f}".replace("-", "−")


def count(value: int) -> str:
    """Return a count of things.

    >>> count(12345)
    '12,345'
    """
    return f"{value:,}"
