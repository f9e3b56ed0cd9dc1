"""Say every five seconds how far work on training data is."""

from __future__ import annotations

import time

import click

from secondpass.cli.pace import SECONDS_BETWEEN_LINES, time_left


class DataProgress:
    """Hears of work and says on the standard error what is done, how quickly, and how long the rest takes."""

    def __init__(self, quiet: bool = False, totals: dict[str, int | None] | None = None) -> None:
        self._quiet, self._totals = quiet, totals or {}
        self._what, self._started, self._said = "", 0.0, time.monotonic()

    def __call__(self, what: str, done: int, total: int | None) -> None:
        """Hear that ``done`` of ``total`` (None: as known before) of ``what`` are done."""
        now = time.monotonic()
        if what != self._what:
            self._what, self._started, self._said = what, now, now
            self._first = done
        if self._quiet or now - self._said < SECONDS_BETWEEN_LINES:
            return
        self._said = now
        total = total or self._totals.get(what)
        made = max(done - self._first, 1)
        pace = made / max(now - self._started, 1e-9)
        of_total = f"/{total:,}" if total else ""
        left = f", {time_left(now - self._started, made, total - done + made)} left" if total else ""
        click.echo(f"{done:,}{of_total} {what}, {pace:,.{'1' if pace < 10 else '0'}f}/s{left}", err=True)
