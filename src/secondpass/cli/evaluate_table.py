"""The tables of an evaluation: every task, all tasks together, and the questions that got worse."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from secondpass.cli.output import narrow, shown
from secondpass.evaluate.notes import SIGNIFICANT, hurts
from secondpass.evaluate.records import (
    Difference,
    Estimate,
    OverallResult,
    Report,
    SystemResult,
    TaskResult,
    WorseQuery,
)

_NAME_COLUMNS = 20
_FIXED_COLUMNS = 78
_MEASURE_COLUMNS = 10
"""What a table takes beside its further measures, and what each of those takes."""
_STYLES = {"random": "dim", "first_stage": "", "fusion": "", "reranker": "bold", "ceiling": "dim"}
_WORSE = "red"
_BETTER = "green"
_TEXT_CHARACTERS = 140


def print_report(report: Report, terminal: Console) -> None:
    """Print all tables, notes and what the figures mean."""
    for part in report_parts(report, terminal.width):
        terminal.print(part)


def report_parts(report: Report, width: int) -> Iterator[RenderableType]:
    """Yield what is printed on ``width`` columns, in its order."""
    measures = report.measures[: max((width - _FIXED_COLUMNS) // _MEASURE_COLUMNS, 0) + 1]
    for task in report.tasks:
        yield task_table(task, measures)
        if any(system.answers for system in task.systems):
            yield answers_table(task)
        yield _notes(task)
    if report.overall:
        yield Rule("all tasks together, every task counted the same", align="left")
        for language in dict.fromkeys(result.language for result in report.overall):
            rows = [result for result in report.overall if result.language == language]
            held_to = Counter(task.baseline for task in report.tasks if language in ("", task.language))
            yield overall_table(rows, measures, language, held_to)
    worst = [(task, query) for task in report.tasks for query in task.worst]
    if worst:
        yield Rule("questions that got worst, for reading", align="left")
        yield from (_worse(task, query, report.measures[0]) for task, query in worst)
    left_out = report.measures[len(measures) :]
    narrow_note = [f"This terminal is too narrow for {', '.join(left_out)}; --out and --report have all."]
    sentences = [*report.conventions, *(narrow_note if left_out else [])]
    yield shown("\n".join(f"· {sentence}" for sentence in sentences), "dim")


def task_table(task: TaskResult, measures: Sequence[str]) -> Table:
    """Return one task's systems: figures with their intervals, and what they cost."""
    sampled = f" of {task.of_queries:,}" if task.of_queries > task.queries else ""
    title = (
        f"{task.name} ({task.language}): {task.queries:,}{sampled} questions, {task.pairs:,} candidates, "
        f"{task.relevant * 100:.0f}% relevant; measured against {task.baseline}"
    )
    table = _table(title)
    _add_measure_columns(table, measures)
    for column in ("of the\ngain", "ms p50\np95", "pairs/s", "context\ntokens"):
        table.add_column(column, justify="right", no_wrap=True)
    for system in task.systems:
        first = system.differences.get(measures[0])
        cells = [_name(system.name, task.baseline, first)]
        cells += _measure_cells(system.measures, system.differences, measures)
        table.add_row(*cells, *_cost_cells(system, measures[0]), style=_STYLES[system.kind])
    table.add_row("all candidates", *[""] * (len(measures) + 4), f"≈{task.candidate_tokens:,.0f}", style="dim")
    return table


def _table(title: str) -> Table:
    table = Table(title=shown(title), title_justify="left", box=SIMPLE_HEAD, pad_edge=False, padding=0)
    table.add_column("system", overflow="fold", min_width=_NAME_COLUMNS)
    return table


def _add_measure_columns(table: Table, measures: Sequence[str]) -> None:
    for position, measure in enumerate(measures):
        table.add_column(f"{measure}\n[95%]", justify="right", no_wrap=True)
        if position == 0:
            table.add_column("difference  p\n[95%]\nwon/tied/lost", justify="right", no_wrap=True)


def _name(name: str, baseline: str, difference: Difference | None) -> Text:
    text = shown(narrow(name, _NAME_COLUMNS))
    if name == baseline:
        text.append(" =", "dim")
    if hurts(difference):
        text.append("\nworse", _WORSE)
    return text


def _measure_cells(
    estimates: Mapping[str, Estimate], differences: Mapping[str, Difference], measures: Sequence[str]
) -> list[Text]:
    """Return the cells of all measures; the first one's difference stands in full, those of others as a mark."""
    cells = []
    for position, measure in enumerate(measures):
        found = estimates[measure]
        interval = f"\n{_short(found.low)}–{_short(found.high)}"
        difference = differences.get(measure)
        cell = Text(f"{found.mean * 100:.2f}")
        cell.append(_mark(difference), _style(difference))
        cell.append(interval, "dim")
        cells.append(cell)
        if position == 0:
            cells.append(_difference_cell(difference))
    return cells


def _short(value: float) -> str:
    return f"{value * 100:.0f}" if value > 0.9995 else f"{value * 100:.1f}"


def _difference_cell(difference: Difference | None) -> Text:
    if difference is None:
        return Text("")
    cell = Text(f"{difference.mean * 100:+.2f}{_mark(difference)} {_p_value(difference.p_holm)}", _style(difference))
    cell.append(f"\n{difference.low * 100:+.1f} to {difference.high * 100:+.1f}", "dim")
    cell.append(f"\n{difference.wins}/{difference.ties}/{difference.losses}", "dim")
    return cell


def _mark(difference: Difference | None) -> str:
    """Return what a significant difference is marked with: ▲, ▼, or nothing."""
    if difference is None or difference.p_holm >= SIGNIFICANT:
        return ""
    return "▲" if difference.mean > 0 else "▼"


def _style(difference: Difference | None) -> str:
    return {"▲": _BETTER, "▼": _WORSE}.get(_mark(difference), "")


def _p_value(value: float) -> str:
    """Return a p-value as papers write it.

    >>> _p_value(0.00021), _p_value(0.04), _p_value(1.0)
    ('p<.001', 'p .040', 'p 1.0')
    """
    if value < 0.001:
        return "p<.001"
    return "p 1.0" if value > 0.9995 else f"p {value:.3f}".replace("0.", ".")


def _cost_cells(system: SystemResult, measure: str) -> list[str]:
    gain = system.gain_reached.get(measure)
    share = "" if gain is None else f"{gain * 100:.0f}%"
    cost = system.cost
    if cost is None:
        return [share, "", "", ""]
    times = "" if cost.p50_ms is None or cost.p95_ms is None else f"{_ms(cost.p50_ms)}\n{_ms(cost.p95_ms)}"
    pace = "" if cost.pairs_per_second is None else f"{cost.pairs_per_second:,.0f}"
    return [share, times, pace, f"≈{cost.context_tokens:,.0f}"]


def _ms(milliseconds: float) -> str:
    return f"{milliseconds:.1f}" if milliseconds < 10 else f"{milliseconds:,.0f}"


def answers_table(task: TaskResult) -> Table:
    """Return the measures of answers made of every system's first passages."""
    systems = [system for system in task.systems if system.answers]
    table = _table(f"{task.name}: answers from the first passages")
    for measure in systems[0].answers:
        table.add_column(measure.replace(" ", "\n", 1) + "\n[95%]", justify="right", no_wrap=True)
    for system in systems:
        cells = []
        for found in system.answers.values():
            cell = Text(f"{found.mean * 100:.1f}")
            cell.append(f"\n{_short(found.low)}–{_short(found.high)}", "dim")
            cells.append(cell)
        table.add_row(shown(narrow(system.name, _NAME_COLUMNS)), *cells)
    return table


def _notes(task: TaskResult) -> Text:
    notes = [f"note: {note}" for note in task.notes]
    notes += [f"note: {system.name}: {note}" for system in task.systems for note in system.notes]
    return shown("\n".join([*notes, f"candidates {task.candidates_hash}", ""]), "dim")


def overall_table(
    rows: Sequence[OverallResult], measures: Sequence[str], language: str, baselines: Mapping[str, int]
) -> Table:
    """Return the systems over the tasks of one language (empty: of all), each held to its task's baseline."""
    against = ", ".join(f"{name} ({count})" if len(baselines) > 1 else name for name, count in baselines.items())
    title = f"{language or 'all languages'}: {max(row.tasks for row in rows)} tasks; measured against {against}"
    table = _table(title)
    table.add_column("tasks", justify="right")
    _add_measure_columns(table, measures)
    for row in rows:
        name = _name(row.name, "", row.differences.get(measures[0]))
        table.add_row(name, str(row.tasks), *_measure_cells(row.measures, row.differences, measures))
    return table


def _worse(task: TaskResult, query: WorseQuery, measure: str) -> Group:
    change = f"{query.before * 100:.1f} → {query.after * 100:.1f}"
    head = shown(f"{task.name} · {query.system} · {query.query_id}: {measure} {change}\n{query.query}", "bold")
    table = Table(show_header=True, pad_edge=False, box=None)
    for column in ("before", "after", "grade"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("passage", overflow="fold")
    for passage in query.passages:
        ranks = [str(rank) if rank else "cut" for rank in (passage.rank_before, passage.rank_after)]
        text = passage.text if len(passage.text) <= _TEXT_CHARACTERS else passage.text[:_TEXT_CHARACTERS] + "…"
        table.add_row(*ranks, str(passage.grade), shown(text), style="" if passage.grade > 0 else "dim")
    return Group(head, table, Text(""))
