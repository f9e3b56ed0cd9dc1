"""What a training run came to, on one screen: before and after, what got worse, and what to think of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import RenderableType
from rich.table import Table

from secondpass.cli.output import shown
from secondpass.evaluate.records import Estimate

if TYPE_CHECKING:
    from secondpass.train.run import Outcome
    from secondpass.train.verdict import Verdict

_STYLES = {"better": "bold green", "worse": "bold red", "not shown": "yellow"}
_CHARACTERS = 90


def outcome_parts(outcome: Outcome) -> Iterator[RenderableType]:
    """Yield what is printed, in its order."""
    for verdict in outcome.verdicts:
        yield _table(verdict)
        yield shown(str(verdict), _STYLES[verdict.kind])
        if verdict.worst:
            yield shown("questions that got worst:")
        for question in verdict.worst:
            moved = f"{100 * question.before:.0f} → {100 * question.after:.0f}"
            yield shown(f"  {moved:>9}  {question.query[:_CHARACTERS]}")
    if not outcome.verdicts:
        yield shown("There was nothing to measure on; whether it got better is not known.", "yellow")
    for note in outcome.notes:
        yield shown(f"note: {note}", "dim")
    if outcome.collapse:
        yield shown(str(outcome.collapse), "bold red")
    yield shown(
        f"{outcome.output}: {outcome.run.step:,} steps, {outcome.run.pairs:,} pairs, {outcome.run.seconds:.0f} s"
    )


def _table(verdict: Verdict) -> Table:
    title = f"{verdict.name}: {verdict.questions:,} questions, x 100, with 95% intervals"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for column in ("", "before", "after", "difference", "p", "better / same / worse"):
        table.add_column(column, justify="right" if column else "left", no_wrap=True)
    for name, one in verdict.measures.items():
        moved = one.difference
        table.add_row(
            name,
            _interval(one.before),
            _interval(one.after),
            f"{100 * moved.mean:+.1f} [{100 * moved.low:+.1f}, {100 * moved.high:+.1f}]",
            f"{moved.p_value:.3g}",
            f"{moved.wins:,} / {moved.ties:,} / {moved.losses:,}",
        )
    table.add_row("loss", f"{verdict.loss[0]:.3f}", f"{verdict.loss[1]:.3f}", "", "", "")
    return table


def _interval(estimate: Estimate) -> str:
    return f"{100 * estimate.mean:.1f} [{100 * estimate.low:.1f}, {100 * estimate.high:.1f}]"
