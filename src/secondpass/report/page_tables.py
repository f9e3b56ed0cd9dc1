"""The tables of the page: one a task, one over all tasks, and the matrix of tasks and systems."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from secondpass.evaluate.records import Difference, Estimate, OverallResult, Report, SystemResult, TaskResult
from secondpass.report.markup import EMPTY, Markup, Text, both, data, element, escape, join
from secondpass.report.page_numbers import (
    ABSENT,
    amount,
    count,
    interval,
    p_value,
    percent,
    points,
    signed_points,
)
from secondpass.report.page_reading import (
    baseline_of,
    compared,
    compared_names,
    first_measure,
    verdict,
)
from secondpass.report.page_summary import badge, sign
from secondpass.report.page_texts import (
    ANSWER_MEASURES,
    ANSWERS_TABLE,
    BASELINE,
    BY_LANGUAGE,
    CEILING_COLUMN,
    CONTEXT_TOKENS,
    DIFFERENCE,
    KINDS,
    LANGUAGES,
    MATRIX_TABLE,
    OVERALL_TABLE,
    P50,
    P95,
    P_HOLM,
    PAIRS_PER_SECOND,
    POSSIBLE_GAIN,
    QUESTIONS,
    SYSTEM,
    TASK,
    TASK_COUNT,
    TASK_TABLE,
    WINS_TIES_LOSSES,
)


def table(name: Markup, heads: Sequence[Markup], rows: Iterable[Markup], css: str = "figures") -> Markup:
    """Return a table under its name; it scrolls by itself where the screen is narrow, by keyboard too."""
    head = element("tr", {}, *(element("th", {"scope": "col"}, one) for one in heads))
    inside = element("table", {"class": css}, element("thead", {}, head), element("tbody", {}, *rows))
    # The name stands outside: as a caption it would be as wide as the table, and be scrolled out of sight.
    caption = element("p", {"class": "note"}, name) if name else EMPTY
    return join([caption, element("div", {"class": "scroll", "tabindex": "0"}, inside)])


def row(first: Markup, cells: Iterable[Markup], css: str = "") -> Markup:
    """Return a row whose first cell names it."""
    return element("tr", {"class": css} if css else {}, element("th", {"scope": "row"}, first), *cells)


def cell(content: Markup, css: str = "") -> Markup:
    """Return a cell."""
    return element("td", {"class": css} if css else {}, content)


def text_cell(text: str) -> Markup:
    """Return a cell of one number, quiet where there is none."""
    return cell(escape(text), "absent" if text == ABSENT else "")


def estimate_cell(found: Estimate | None) -> Markup:
    """Return a mean over its interval."""
    if found is None:
        return text_cell(ABSENT)
    return cell(_over(points(found.mean), found.low, found.high))


def difference_cell(found: Difference | None) -> Markup:
    """Return a difference over its interval, marked where it is beyond chance."""
    if found is None:
        return text_cell(ABSENT)
    says = verdict(found)
    inside = _over(signed_points(found.mean), found.low, found.high)
    if says == "unclear":
        return cell(inside)
    return cell(join([sign(says), inside], " "), says)


def _matrix_cell(found: Difference | None) -> Markup:
    """Return a difference where no p stands beside it, so that the verdict is said in a word too."""
    if found is None:
        return text_cell(ABSENT)
    says = verdict(found)
    inside = _over(signed_points(found.mean), found.low, found.high)
    return cell(inside if says == "unclear" else join([badge(says), inside], " "), says)


def _over(shown: str, low: float, high: float) -> Markup:
    return join([escape(shown), element("small", {}, escape(interval(low, high)))])


def counts_text(found: Difference | None) -> str:
    """Return wins, ties and losses."""
    if found is None:
        return ABSENT
    return f"{count(found.wins)} / {count(found.ties)} / {count(found.losses)}"


def _named(name: str, kind: str, is_baseline: bool) -> Markup:
    """Return a system's name over its kind."""
    said = both(KINDS[kind])
    if is_baseline:
        said = join([said, element("b", {}, both(BASELINE))], " · ")
    return join([data(name), element("small", {}, said)])


def task_table(task: TaskResult, report: Report) -> Markup:
    """Return the table of one task: quality, difference, costs."""
    first = first_measure(report)
    # What is tested and what it costs stand together; the other measures come after, where a narrow screen ends.
    heads = [both(SYSTEM), *(escape(name) for name in report.measures[:1])]
    heads += [both(text) for text in (DIFFERENCE, P_HOLM, WINS_TIES_LOSSES, POSSIBLE_GAIN)]
    heads += [both(text) for text in (P50, P95, PAIRS_PER_SECOND, CONTEXT_TOKENS)]
    heads += [escape(name) for name in report.measures[1:]]
    baseline = baseline_of(task)
    caption = both(TASK_TABLE, {"measure": escape(first), "baseline": data(task.baseline)})
    rows = (_task_row(system, report, system is baseline) for system in task.systems)
    return table(caption, heads, rows)


def _task_row(system: SystemResult, report: Report, is_baseline: bool) -> Markup:
    first, cost = first_measure(report), system.cost
    values = [estimate_cell(system.measures.get(name)) for name in report.measures]
    difference = system.differences.get(first)
    cells = [*values[:1], difference_cell(difference)]
    cells.append(text_cell(ABSENT if difference is None else p_value(difference.p_holm)))
    cells.append(text_cell(counts_text(difference)))
    cells.append(text_cell(percent(system.gain_reached.get(first))))
    costs = (cost.p50_ms, cost.p95_ms, cost.pairs_per_second, cost.context_tokens) if cost else (None,) * 4
    cells += [text_cell(amount(value)) for value in costs]
    css = "baseline" if is_baseline else f"kind-{system.kind}"
    return row(_named(system.name, system.kind, is_baseline), [*cells, *values[1:]], css)


def answers_table(task: TaskResult) -> Markup:
    """Return the measures of the answers made from each system's first passages, where any were made."""
    names = list(dict.fromkeys(name for system in task.systems for name in system.answers))
    if not names:
        return EMPTY
    rows = (
        row(
            _named(system.name, system.kind, system is baseline_of(task)),
            (estimate_cell(system.answers.get(name)) for name in names),
        )
        for system in task.systems
        if system.answers
    )
    return table(both(ANSWERS_TABLE), [both(SYSTEM), *(_answer_measure(name) for name in names)], rows)


def _answer_measure(name: str) -> Markup:
    return both(ANSWER_MEASURES[name]) if name in ANSWER_MEASURES else data(name)


def overall_table(report: Report) -> Markup:
    """Return the table over all tasks and over those of each language."""
    first = first_measure(report)
    heads = [both(SYSTEM), both(TASK_COUNT), *(escape(name) for name in report.measures[:1])]
    heads += [both(text) for text in (DIFFERENCE, P_HOLM, WINS_TIES_LOSSES)]
    heads += [escape(name) for name in report.measures[1:]]
    kinds = list(KINDS)
    ordered = sorted(report.overall, key=lambda one: kinds.index(_kind_of(report, one.name) or kinds[-1]))
    together = [one for one in ordered if not one.language]
    apart = [one for one in ordered if one.language]
    shown = table(both(OVERALL_TABLE), heads, (_overall_row(one, report, first) for one in together))
    if not apart:
        return shown
    rows: list[Markup] = []
    for language in dict.fromkeys(one.language for one in apart):
        rows.append(_band(LANGUAGES.get(language, Text(language, language)), len(heads)))
        rows += [_overall_row(one, report, first) for one in apart if one.language == language]
    inside = table(EMPTY, heads, rows)
    if not together:
        return inside
    return join([shown, element("details", {}, element("summary", {}, element("h3", {}, both(BY_LANGUAGE))), inside)])


def _band(text: Text, columns: int) -> Markup:
    head = element("th", {"scope": "rowgroup", "colspan": str(columns)}, both(text))
    return element("tr", {"class": "band"}, head)


def _overall_row(one: OverallResult, report: Report, first: str) -> Markup:
    difference, kind = one.differences.get(first), _kind_of(report, one.name)
    values = [estimate_cell(one.measures.get(name)) for name in report.measures]
    cells = [text_cell(count(one.tasks)), *values[:1], difference_cell(difference)]
    cells.append(text_cell(ABSENT if difference is None else p_value(difference.p_holm)))
    cells += [text_cell(counts_text(difference)), *values[1:]]
    is_baseline = any(task.baseline == one.name for task in report.tasks)
    label = _named(one.name, kind, is_baseline) if kind else data(one.name)
    return row(label, cells, "baseline" if is_baseline else f"kind-{kind}")


def _kind_of(report: Report, name: str) -> str:
    return next((system.kind for task in report.tasks for system in task.systems if system.name == name), "")


def matrix_table(report: Report) -> Markup:
    """Return tasks against systems: the baseline's value, the difference of each, the ceiling."""
    first = first_measure(report)
    names = compared_names(report.tasks, first)
    heads = [both(TASK), both(QUESTIONS), both(BASELINE), *(data(name) for name in names), both(CEILING_COLUMN)]
    rows = (_matrix_row(task, place, names, first) for place, task in enumerate(report.tasks, start=1))
    return table(both(MATRIX_TABLE, {"measure": escape(first)}), heads, rows)


def _matrix_row(task: TaskResult, place: int, names: Sequence[str], first: str) -> Markup:
    baseline = baseline_of(task)
    known = {system.name: system.differences[first] for system in compared(task, first)}
    ceiling = next((system.measures.get(first) for system in task.systems if system.kind == "ceiling"), None)
    label = join(
        [
            element("a", {"href": f"#task-{place}"}, data(task.name)),
            element("small", {}, both(LANGUAGES.get(task.language, LANGUAGES[""]))),
        ]
    )
    cells = [text_cell(count(task.queries)), estimate_cell(baseline.measures.get(first) if baseline else None)]
    cells += [_matrix_cell(known.get(name)) for name in names]
    cells.append(estimate_cell(ceiling))
    return row(label, cells)
