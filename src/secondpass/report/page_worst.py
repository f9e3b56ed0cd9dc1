"""The questions that got worst, with their passages: what a mean cannot say."""

from __future__ import annotations

from collections.abc import Sequence

from secondpass.evaluate.records import MovedPassage, Report, TaskResult, WorseQuery
from secondpass.report.markup import EMPTY, Markup, both, data, element, escape, join, visible
from secondpass.report.page_numbers import count, points, signed_points
from secondpass.report.page_reading import first_measure
from secondpass.report.page_tables import cell
from secondpass.report.page_texts import (
    CUT,
    GRADE,
    NO_WORST,
    PASSAGE,
    PASSAGES_LEFT_OUT,
    RANKS,
    WORST,
    WORST_NOTE,
    WORST_SHOWN,
)

QUESTIONS_ON_PAGE = 60
"""About how many of these questions a page holds, over all tasks and systems."""
PASSAGES_SHOWN = 6
BYTES_SHOWN = 480
"""How much of a text is shown: 160 Chinese characters or 480 Latin letters."""
ID_CHARACTERS = 40


def worst_section(task: TaskResult, report: Report) -> Markup:
    """Return the questions of a task, by system."""
    if not task.worst:
        return element("p", {"class": "note"}, both(NO_WORST))
    lists = sum(len({one.system for one in other.worst}) for other in report.tasks)
    most = max(1, QUESTIONS_ON_PAGE // max(lists, 1))
    parts = [element("p", {"class": "note"}, both(WORST_NOTE, {"measure": escape(first_measure(report))}))]
    shown = 0
    for name in dict.fromkeys(one.system for one in task.worst):
        found = [one for one in task.worst if one.system == name][:most]
        shown += len(found)
        parts.append(element("h5", {}, data(name)))
        parts += [_question(one, task.language) for one in found]
    if shown < len(task.worst):
        counts = {"shown": escape(count(shown)), "known": escape(count(len(task.worst)))}
        parts.append(element("p", {"class": "note"}, both(WORST_SHOWN, counts)))
    summary = element("summary", {}, element("h4", {}, both(WORST)))
    return element("details", {"class": "worst"}, summary, *parts)


def _question(one: WorseQuery, language: str) -> Markup:
    numbers = f"{points(one.before)} → {points(one.after)} ({signed_points(one.after - one.before)})"
    head = element(
        "p",
        {"class": "question"},
        element("b", {}, data(_beginning(one.query), language)),
        element("span", {"class": "number"}, escape(numbers)),
        element("code", {}, data(_short(one.query_id))),
    )
    return element("div", {"class": "worse-question"}, head, _passages(one.passages, language))


def _passages(passages: Sequence[MovedPassage], language: str) -> Markup:
    if not passages:
        return EMPTY
    heads = (element("th", {"scope": "col"}, both(text)) for text in (RANKS, GRADE, PASSAGE))
    rows = [_passage(one, language) for one in passages[:PASSAGES_SHOWN]]
    left_out = len(passages) - len(rows)
    parts = [
        element(
            "table",
            {"class": "passages"},
            element("thead", {}, element("tr", {}, *heads)),
            element("tbody", {}, *rows),
        )
    ]
    if left_out:
        parts.append(element("p", {"class": "note"}, both(PASSAGES_LEFT_OUT, {"count": escape(count(left_out))})))
    return join(parts)


def _passage(one: MovedPassage, language: str) -> Markup:
    before, after = (escape(str(rank)) if rank > 0 else both(CUT) for rank in (one.rank_before, one.rank_after))
    text = join(
        [
            element("span", {"class": "passage-text"}, data(_beginning(one.text), language)),
            element("code", {}, data(_short(one.doc_id))),
        ],
        " ",
    )
    css = "relevant" if one.grade > 0 else ""
    return element(
        "tr",
        {"class": css} if css else {},
        cell(join([before, after], " → "), "moved"),
        cell(escape(str(one.grade))),
        cell(text, "words"),
    )


def _beginning(text: str) -> str:
    written = visible(text).encode("utf-8")
    return text if len(written) <= BYTES_SHOWN else f"{written[:BYTES_SHOWN].decode('utf-8', 'ignore')}…"


def _short(name: str) -> str:
    return name if len(name) <= ID_CHARACTERS else f"{name[: ID_CHARACTERS - 1]}…"
