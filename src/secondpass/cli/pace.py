"""Say now and then how far long work is, without a bar: for pipes, files and logs."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

import click

T = TypeVar("T")
SECONDS_BETWEEN_LINES = 5.0


def time_left(elapsed_seconds: float, done: int, total: int) -> str:
    """Return how long the rest takes if it goes on like this.

    >>> time_left(10.0, 100, 400), time_left(60.0, 1, 10)
    ('about 30 s', 'about 9 min')
    """
    return duration(seconds_left(elapsed_seconds, done, total))


def seconds_left(elapsed_seconds: float, done: int, total: int) -> float:
    """Return the seconds that the rest takes at the same pace."""
    return elapsed_seconds * (total - done) / max(done, 1)


def duration(seconds: float) -> str:
    """Return a time that is not known exactly.

    >>> duration(90), duration(600)
    ('about 90 s', 'about 10 min')
    """
    return f"about {seconds / 60:.0f} min" if seconds > 90 else f"about {seconds:.0f} s"


def counted(items: Iterable[T], what: str, total: int | None) -> Iterator[T]:
    """Yield ``items``; every five seconds say on the standard error how many are done and how long the rest takes."""
    started = said = time.monotonic()
    for done, item in enumerate(items, start=1):
        yield item
        now = time.monotonic()
        if now - said > SECONDS_BETWEEN_LINES:
            said = now
            left = f", {time_left(now - started, done, total)} left" if total else ""
            of_total = f"/{total:,}" if total else ""
            pace = done / (now - started)
            click.echo(f"{done:,}{of_total} {what}, {pace:,.{'1' if pace < 10 else '0'}f}/s{left}", err=True)
