"""One task on the page: facts, table, plots, the questions that got worst, and everything in full."""

from __future__ import annotations

from secondpass.evaluate.records import Report, SystemResult, TaskResult
from secondpass.report.markup import EMPTY, Markup, both, data, element, escape, join, sentences
from secondpass.report.page_numbers import ABSENT, amount, count, p_value, percent, points
from secondpass.report.page_reading import TRIED, baseline_of, compared, first_measure, verdict
from secondpass.report.page_sentences import said
from secondpass.report.page_summary import badge
from secondpass.report.page_tables import (
    answers_table,
    cell,
    counts_text,
    difference_cell,
    estimate_cell,
    row,
    table,
    task_table,
    text_cell,
)
from secondpass.report.page_texts import (
    CALIBRATION_ERROR,
    CANDIDATE_TOKENS,
    COMPUTED,
    DIFFERENCE,
    FACTS,
    HASH,
    IDENTITY,
    KNOWN,
    LANGUAGES,
    MEAN,
    MEASURE,
    MISSING,
    MORE_MEASURES,
    NOTES,
    P_HOLM,
    P_RAW,
    PAIRS,
    POSSIBLE_GAIN,
    SAMPLED,
    SCALE,
    SYSTEM,
    TRUNCATED,
    WINS_TIES_LOSSES,
)
from secondpass.report.page_worst import worst_section
from secondpass.report.plot_latency import latency_of_task
from secondpass.report.plot_movement import movement_plots
from secondpass.report.plot_questions import question_plots
from secondpass.report.plot_reliability import reliability_plots
from secondpass.report.plots import PlotGroup, figure

OPEN_TASKS = 3
"""With more tasks than this, all start closed, so that their list can be seen at once."""
BARS_ON_PAGE = 1800
FEWEST_BARS, MOST_BARS = 24, 150


def task_section(task: TaskResult, place: int, report: Report) -> Markup:
    """Return everything about one task; ``place`` counts from 1."""
    attributes = {"class": "task"} | ({"open": "open"} if len(report.tasks) <= OPEN_TASKS else {})
    plots = [figure(plot, f"task-{place}-plot-{turn}") for turn, plot in enumerate(_plots(task, report), start=1)]
    return element(
        "details",
        attributes,
        element("summary", {}, element("h3", {}, data(task.name)), _verdicts(task, report)),
        # The anchor lies inside, so that following a link to it opens a closed task.
        element("div", {"class": "task-body", "id": f"task-{place}"}, _facts(task), task_table(task, report)),
        answers_table(task),
        element("div", {"class": "plots"}, *plots),
        worst_section(task, report),
        _more_measures(task, report),
        _computed(task),
    )


def _verdicts(task: TaskResult, report: Report) -> Markup:
    """Return the baseline's value and each difference, for who reads the closed list."""
    measure, baseline = first_measure(report), baseline_of(task)
    shown = []
    if baseline is not None and measure in baseline.measures:
        shown.append(join([data(baseline.name), escape(points(baseline.measures[measure].mean))], " "))
    for system in compared(task, measure):
        difference = system.differences[measure]
        inside = [data(system.name), escape(f"{difference.mean * 100:+.1f}".replace("-", "−"))]
        shown.append(join([*inside, badge(verdict(difference))], " "))
    return element("span", {"class": "verdicts"}, *(element("span", {}, one) for one in shown))


def _facts(task: TaskResult) -> Markup:
    values = {
        "language": both(LANGUAGES.get(task.language, LANGUAGES[""])),
        "questions": escape(count(task.queries)),
        "of_queries": escape(count(task.of_queries)),
        "passages": escape(count(task.passages)),
        "pairs": escape(count(task.pairs)),
        "relevant": escape(percent(task.relevant)),
        "tokens": escape(amount(task.candidate_tokens)),
        "missing": escape(count(task.missing)),
        "hash": element("code", {}, data(task.candidates_hash)),
    }
    facts = [(FACTS, values)]
    if task.candidate_tokens:
        facts.append((CANDIDATE_TOKENS, values))
    if task.queries < task.of_queries:
        facts.append((SAMPLED, values))
    if task.missing:
        facts.append((MISSING, values))
    return join([element("p", {"class": "facts"}, sentences([*facts, (HASH, values)])), _notes(task.notes)])


def _notes(notes: tuple[str, ...]) -> Markup:
    if not notes:
        return EMPTY
    return element("ul", {"class": "notes"}, *(element("li", {}, said(note)) for note in notes))


def _plots(task: TaskResult, report: Report) -> list[PlotGroup]:
    measure, baseline = first_measure(report), baseline_of(task)
    # How a first stage differs from another, question by question, is not what this page is asked.
    systems = [system for system in compared(task, measure) if system.kind in TRIED and system is not baseline]
    found = [latency_of_task(task, report)]
    if baseline is not None:
        found.append(question_plots(systems, baseline, measure, _bars(report)))
    found += [movement_plots(systems), reliability_plots(task.systems)]
    return [group for group in found if group is not None]


def _bars(report: Report) -> int:
    """Return how many bars a plot may have, so that a page of many plots stays small enough to send."""
    plots = sum(system.kind in TRIED for task in report.tasks for system in task.systems)
    return min(max(BARS_ON_PAGE // max(plots, 1), FEWEST_BARS), MOST_BARS)


def _more_measures(task: TaskResult, report: Report) -> Markup:
    heads = [both(text) for text in (SYSTEM, MEASURE)] + [both(MEAN)]
    heads += [both(text) for text in (DIFFERENCE, P_RAW, P_HOLM, WINS_TIES_LOSSES, POSSIBLE_GAIN)]
    rows = [row for system in task.systems for row in _measure_rows(system, report)]
    if not rows:
        return EMPTY
    inside = table(EMPTY, heads, rows, "measures")
    return element("details", {}, element("summary", {}, element("h4", {}, both(MORE_MEASURES))), inside)


def _measure_rows(system: SystemResult, report: Report) -> list[Markup]:
    """Return a row a measure; the first of them names the system for all."""
    names = [name for name in report.measures if name in system.differences]
    head = element("th", {"scope": "rowgroup", "rowspan": str(len(names))}, data(system.name))
    return [
        element(
            "tr",
            {"class": f"kind-{system.kind}"},
            head if place == 0 else EMPTY,
            element("th", {"scope": "row"}, escape(name)),
            *_measure_cells(system, name),
        )
        for place, name in enumerate(names)
    ]


def _measure_cells(system: SystemResult, name: str) -> list[Markup]:
    difference = system.differences[name]
    return [
        estimate_cell(system.measures.get(name)),
        difference_cell(difference),
        text_cell(p_value(difference.p_value)),
        text_cell(p_value(difference.p_holm)),
        text_cell(counts_text(difference)),
        text_cell(percent(system.gain_reached.get(name))),
    ]


def _computed(task: TaskResult) -> Markup:
    heads = [both(text) for text in (SYSTEM, IDENTITY, SCALE, PAIRS, KNOWN, TRUNCATED, CALIBRATION_ERROR, NOTES)]
    inside = table(EMPTY, heads, [_computed_row(system) for system in task.systems], "computed")
    return element("details", {}, element("summary", {}, element("h4", {}, both(COMPUTED))), inside)


def _computed_row(system: SystemResult) -> Markup:
    cost = system.cost
    counts = (cost.pairs, cost.known, cost.truncated) if cost else (None, None, None)
    error = ABSENT if system.calibration is None else f"{system.calibration.error:.3f}"
    cells = [
        cell(element("code", {}, data(system.identity or ABSENT)), "words"),
        cell(element("code", {}, data(system.scale or ABSENT)), "words"),
        *(text_cell(ABSENT if value is None else count(value)) for value in counts),
        text_cell(error),
        cell(join([element("div", {}, said(note)) for note in system.notes]), "words"),
    ]
    return row(data(system.name), cells)
