"""The end of the page: what whoever repeats the measurement must know."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from secondpass.evaluate.records import Report
from secondpass.report.markup import Markup, Text, both, data, element, escape, join
from secondpass.report.page_numbers import ABSENT
from secondpass.report.page_sentences import said
from secondpass.report.page_texts import (
    CONVENTIONS,
    MACHINE,
    MADE_BY,
    NONE_STATED,
    OPTIONS,
    WHOLE_REPORT,
)
from secondpass.types import Json


def closing(report: Report) -> Markup:
    """Return conventions, machine, options, and where the numbers are in full."""
    options = {name: _shown(value) for name, value in report.options.items()}
    return join(
        [
            element("h3", {}, both(CONVENTIONS)),
            _list(report.conventions),
            element("div", {"class": "pairs"}, _pairs(MACHINE, report.machine), _pairs(OPTIONS, options)),
            element("p", {}, both(WHOLE_REPORT, {"option": element("code", {}, escape("--out"))})),
            element("p", {"class": "note"}, both(MADE_BY, {"version": data(report.version)})),
        ]
    )


def _shown(value: Json) -> str:
    if value is None:
        return ABSENT
    if isinstance(value, list | tuple):
        return ", ".join(_shown(one) for one in value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _list(lines: Sequence[str]) -> Markup:
    if not lines:
        return element("p", {}, both(NONE_STATED))
    return element("ul", {}, *(element("li", {}, said(line)) for line in lines))


def _pairs(title: Text, values: Mapping[str, str]) -> Markup:
    known = [join([element("dt", {}, data(name)), element("dd", {}, data(value))]) for name, value in values.items()]
    body = element("dl", {}, *known) if known else element("p", {}, both(NONE_STATED))
    return element("section", {}, element("h3", {}, both(title)), body)
