"""The report as one HTML file: nothing is fetched, nothing is kept, and it speaks Chinese and English.

It knows the records of an evaluation, not how they were measured.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files
from pathlib import Path

from secondpass.data.lines import write_whole
from secondpass.evaluate.records import Report
from secondpass.report.markup import EMPTY, Markup, Text, both, data, element, escape, join
from secondpass.report.page_closing import closing
from secondpass.report.page_numbers import count
from secondpass.report.page_summary import summary
from secondpass.report.page_tables import matrix_table, overall_table
from secondpass.report.page_task import task_section
from secondpass.report.page_texts import (
    CHOOSE_LANGUAGE,
    CLOSING,
    CONTENTS,
    OVERALL,
    SKIP,
    SUBTITLE,
    SUMMARY,
    TASKS,
    TITLE,
)
from secondpass.report.plot_forest import forest_plots
from secondpass.report.plot_latency import latency_over_tasks
from secondpass.report.plots import figure

SECTIONS = {"summary": SUMMARY, "overall": OVERALL, "tasks": TASKS, "closing": CLOSING}


def write_page(report: Report, path: Path) -> None:
    """Write the page of a report; the file takes its name only when all of it is written.

    Raises:
        InputError: the file cannot be written.
    """
    written = page_html(report)
    with write_whole(str(path)) as stream:
        stream.write(written)


def page_html(report: Report) -> str:
    """Return the page; the same report gives the same page."""
    head = element(
        "head",
        {},
        element("meta", {"charset": "utf-8"}),
        element("meta", {"http-equiv": "Content-Security-Policy", "content": _policy()}),
        element("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}),
        element("meta", {"name": "color-scheme", "content": "light dark"}),
        element("meta", {"name": "referrer", "content": "no-referrer"}),
        element("title", {}, escape(f"secondpass 精排 · {report.created}")),
        element("style", {}, _own("page.css")),
    )
    body = element("body", {}, *_switch(), _page(report), element("script", {}, _own("page.js")))
    return f"<!DOCTYPE html>\n{element('html', {'lang': 'en'}, head, body)}\n"


@cache
def _own(name: str) -> Markup:
    """Return a file of the package as it stands: style and script are ours, and are not escaped."""
    return Markup(files("secondpass.report").joinpath(name).read_text(encoding="utf-8"))


def _policy() -> str:
    """Return what the page may load: its own style and its own script, named by their hashes, and nothing else."""
    style, script = (
        base64.b64encode(hashlib.sha256(_own(name).encode()).digest()).decode() for name in ("page.css", "page.js")
    )
    return (
        f"default-src 'none'; style-src 'sha256-{style}'; script-src 'sha256-{script}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _switch() -> list[Markup]:
    """Return the two buttons that choose the language; styles read them, so that it works without scripts."""
    button = {"type": "radio", "name": "language", "autocomplete": "off"}
    return [
        element("input", {**button, "id": "english", "value": "en", "checked": "checked", "aria-label": "English"}),
        element("input", {**button, "id": "chinese", "value": "zh", "aria-label": "中文"}),
    ]


def _page(report: Report) -> Markup:
    return element(
        "div",
        {"class": "page"},
        element("a", {"class": "skip", "href": "#summary"}, both(SKIP)),
        _header(report),
        element("div", {"class": "columns"}, _contents(report), _main(report)),
    )


def _header(report: Report) -> Markup:
    systems = [system for task in report.tasks for system in task.systems]
    values = {
        "rerankers": escape(count(len({one.name for one in systems if one.kind == "reranker"}))),
        "tasks": escape(count(len(report.tasks))),
        "questions": escape(count(sum(task.queries for task in report.tasks))),
        "version": data(report.version),
        "created": data(report.created),
    }
    labels = element(
        "div",
        {"class": "switch"},
        element("span", {"class": "hidden"}, both(CHOOSE_LANGUAGE)),
        element("label", {"for": "chinese", "lang": "zh-Hans"}, escape("中文")),
        element("label", {"for": "english", "lang": "en"}, escape("English")),
    )
    titles = element("div", {}, element("h1", {}, both(TITLE)), element("p", {}, both(SUBTITLE, values)))
    return element("header", {}, titles, labels)


def _contents(report: Report) -> Markup:
    tasks = [_link(f"task-{place}", data(task.name)) for place, task in enumerate(report.tasks, start=1)]
    links = []
    for name, text in _sections(report).items():
        inside = element("ol", {}, *tasks) if name == "tasks" and tasks else EMPTY
        links.append(_link(name, both(text), inside))
    return element(
        "nav",
        {"aria-labelledby": "contents"},
        element("h2", {"id": "contents"}, both(CONTENTS)),
        element("ul", {}, *links),
    )


def _link(target: str, shown: Markup, inside: Markup = EMPTY) -> Markup:
    return element("li", {}, element("a", {"href": f"#{target}"}, shown), inside)


def _sections(report: Report) -> dict[str, Text]:
    """Return the sections that there are: one task alone has no figures over all."""
    return {name: text for name, text in SECTIONS.items() if name != "overall" or len(report.tasks) > 1}


def _main(report: Report) -> Markup:
    bodies = {
        "summary": summary(report),
        "overall": _overall(report),
        "tasks": join(task_section(task, place, report) for place, task in enumerate(report.tasks, start=1)),
        "closing": closing(report),
    }
    return element(
        "main",
        {},
        *(
            element("section", {"id": name}, element("h2", {}, both(text)), bodies[name])
            for name, text in _sections(report).items()
        ),
    )


def _overall(report: Report) -> Markup:
    groups = [latency_over_tasks(report), forest_plots(report)]
    figures = [figure(one, f"overall-plot-{place}") for place, one in enumerate(groups, start=1) if one is not None]
    over_all = overall_table(report) if report.overall else EMPTY
    return join([over_all, matrix_table(report), element("div", {"class": "plots"}, *figures)])
