"""What tuning found, for people: the setting, what it is worth, its threshold, the trade-off, the commands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console, RenderableType
from rich.table import Table

from secondpass.cli.output import shown
from secondpass.evaluate.records import Estimate
from secondpass.tune.records import HeldOut, Setting, SettingRow, ThresholdPromise, TuningReport

_MOST_ROWS = 10
_LEAST_GAIN = 0.004
"""Rows of the curve that keep fewer answers more than the row before are not shown."""


def print_tuning(report: TuningReport, terminal: Console) -> None:
    """Print everything that a person needs, on about one screen."""
    for part in tuning_parts(report):
        terminal.print(part)


def tuning_parts(report: TuningReport) -> Iterator[RenderableType]:
    """Yield what is printed, in its order."""
    yield curve_table(report)
    yield shown(f"\n{'use' if report.met else 'nearest'}: {report.chosen}", "bold" if report.met else "bold yellow")
    yield shown("\n".join(f"  {line}" for line in _worth(report)))
    for sentence in report.failed:
        yield shown(f"  ✗ {sentence}", "red")
    yield shown("\n".join(f"  {line}" for line in _threshold(report)))
    for command in report.commands:
        yield shown(f"$ {command}", "green")
    yield shown("\n".join(f"· {sentence}" for sentence in _small_print(report)), "dim")


def _worth(report: TuningReport) -> Iterator[str]:
    found = report.held_out
    yield (
        f"keeps {_percent(found.keep_answer)} of answers on {found.questions:,} held-out questions "
        f"({found.keep_given_pool.mean:.1%} of those that {report.first_stage or 'the first stage'} found)"
    )
    yield f"{_time(report)}; {_context(found)}"
    yield "order: " + ", ".join(f"{name} {_percent(value)}" for name, value in found.measures.items())


def _context(found: HeldOut) -> str:
    return f"≈{found.context_tokens.mean:,.0f} tokens of context in {found.passages:.1f} passages"


def _time(report: TuningReport) -> str:
    if report.p50_ms is None or report.p95_ms is None:
        return "what it takes is not known (replies were known before)"
    if not report.chosen.stages:
        return "reranks nothing"
    return f"reranks in {report.p50_ms:,.0f} ms, 95 of 100 questions in {report.p95_ms:,.0f} ms ({report.latency})"


def _threshold(report: TuningReport) -> Iterator[str]:
    promise = report.threshold
    if promise is None:
        yield f"no threshold: {report.no_threshold}"
        return
    part = report.chosen.threshold is not None
    value = f"{promise.scale}={promise.value:g}"
    yield f"{'threshold' if part else 'a threshold could be added'}: --min-score {value}"
    yield f"  promise: {promise.promise} (fitted on {promise.calibrated_on:,} questions)"
    yield (
        f"  on {promise.checked_on:,} held-out questions {_percent(promise.risk)} were lost (promised: at "
        f"most {promise.alpha:.1%}), {promise.lost.mean:.1%} by the threshold itself"
    )
    yield f"  {_saved(promise)}"


def _saved(promise: ThresholdPromise) -> str:
    saved = (
        f"passages {promise.passages[0]:.2f} → {promise.passages[1]:.2f}, tokens ≈{promise.context_tokens[0]:,.0f} → "
        f"≈{promise.context_tokens[1]:,.0f}; "
    )
    if promise.nothing_left is None:
        return saved + "no held-out question is without an answer among its candidates"
    return saved + (
        f"leaves nothing for {promise.nothing_left:.0%} of {promise.empty_of} questions without an answer among the "
        f"candidates, and for {promise.nothing_left_answerable:.1%} of the others"
    )


def curve_table(report: TuningReport) -> Table:
    """Return the trade-off: settings that keep more answers than every cheaper one."""
    rows = _shown_rows(report)
    title = (
        f"{report.task}: {len(report.rows)} settings of {report.first_stage or 'the given order'}; those on the curve"
    )
    table = Table(title=title, title_justify="left", pad_edge=False)
    table.add_column("setting", overflow="fold")
    for column in ("answers kept", "held out (95%)", "nDCG@10", "tokens", "p50 ms", "p95 ms"):
        table.add_column(column, justify="right", no_wrap=True)
    for row in rows:
        ours = _same(row.setting, report.chosen)
        mark = "" if row.latency == "measured" else "≈"
        times = ["–" if value is None else f"{mark}{value:,.0f}" for value in (row.p50_ms, row.p95_ms)]
        interval = f" ({row.interval[0] * 100:.1f}–{row.interval[1] * 100:.1f})" if row.interval else ""
        table.add_row(
            shown(f"{'▶ ' if ours else '  '}{row.setting}"),
            f"{row.keep_answer * 100:.1f}",
            f"{row.held_out_keep_answer * 100:.1f}{interval}",
            f"{row.ndcg * 100:.1f}",
            f"{row.context_tokens:,.0f}",
            *times,
            style="bold" if ours else "",
        )
    return table


def _shown_rows(report: TuningReport) -> list[SettingRow]:
    """Return the rows of the curve that differ enough to be told apart, and always the chosen one."""
    curve = sorted((row for row in report.rows if row.on_curve), key=lambda row: row.cost or 0.0)
    gain = _LEAST_GAIN
    while len(chosen := _steps(curve, gain)) > _MOST_ROWS:
        gain *= 1.3
    ours = [row for row in report.rows if _same(row.setting, report.chosen)][-1:]
    return sorted([*chosen, *(row for row in ours if row not in chosen)], key=lambda row: row.cost or 0.0)


def _steps(curve: Sequence[SettingRow], gain: float) -> list[SettingRow]:
    kept: list[SettingRow] = []
    for row in curve:
        if not kept or row.keep_answer >= kept[-1].keep_answer + gain:
            kept.append(row)
    return kept


def _same(setting: Setting, chosen: Setting) -> bool:
    """Tell whether a row is the chosen setting; its threshold was fitted anew."""
    alike = (setting.depth, setting.stages, setting.top_n) == (chosen.depth, chosen.stages, chosen.top_n)
    return alike and (setting.threshold is None) == (chosen.threshold is None)


def _small_print(report: TuningReport) -> Iterator[str]:
    split = report.split
    yield (
        f"{split.questions:,} questions, {split.answerable:,} with an answer, {split.in_pool:,} with it among the "
        f"candidates; chosen with {split.choosing:,}, threshold fitted on {split.calibrating:,}, checked on "
        f"{split.checking:,}: promises hold for questions like these"
    )
    yield (
        "≈: estimated; a token of context weighs like a millisecond of reranking; thresholds in the table were fitted "
        "on the questions for choosing"
    )
    for speed in report.speeds:
        if speed.seconds_per_call is not None and speed.seconds_per_token is not None:
            yield (
                f"{speed.name} read {speed.pairs:,} pairs; {speed.seconds_per_call * 1000:.1f} ms a call and "
                f"{speed.seconds_per_token * 1e6:.1f} µs a token, by {speed.timed_calls} timed calls"
            )
    yield from report.notes


def _percent(value: Estimate) -> str:
    return f"{value.mean:.1%} ({value.low * 100:.1f}–{value.high * 100:.1f})"
