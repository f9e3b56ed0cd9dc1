"""A report to a JSON file and back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from secondpass.evaluate.record_reading import FileForm, read_record, record_object, write_record
from secondpass.evaluate.records import Report

_FORM = FileForm(1, "evaluation", "secondpass evaluate --out FILE.json")


def report_object(report: Report) -> dict[str, Any]:
    """Return ``report`` as an object of JSON."""
    return record_object(report, _FORM)


def write_report_json(report: Report, path: str | Path) -> None:
    """Write ``report`` to ``path`` (``-``: the standard output), all of it or nothing.

    Raises:
        InputError: the file cannot be written.
    """
    write_record(report, path, _FORM)


def read_report_json(path: str | Path) -> Report:
    """Return the report of a file that `write_report_json` wrote.

    Raises:
        InputError: the file is missing, no JSON, or no such report.
    """
    return read_record(Report, path, _FORM)
