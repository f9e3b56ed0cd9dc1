"""A report to a JSON file and back: the file's form is that of the records, and numbers are kept as they are."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from secondpass.data.lines import write_whole
from secondpass.errors import InputError
from secondpass.evaluate.record_reading import record_of
from secondpass.evaluate.records import Report

FORMAT = "secondpass evaluation"
FORMAT_VERSION = 1


def report_object(report: Report) -> dict[str, Any]:
    """Return ``report`` as an object of JSON."""
    return {"format": FORMAT, "format_version": FORMAT_VERSION, **asdict(report)}


def write_report_json(report: Report, path: str | Path) -> None:
    """Write ``report`` to ``path`` (``-``: the standard output), all of it or nothing.

    Raises:
        InputError: the file cannot be written.
    """
    with write_whole(str(path)) as stream:
        json.dump(report_object(report), stream, ensure_ascii=False, indent=1, allow_nan=False)
        stream.write("\n")


def read_report_json(path: str | Path) -> Report:
    """Return the report of a file that `write_report_json` wrote.

    Raises:
        InputError: the file is missing, no JSON, or no such report.
    """
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise InputError(f"{path} is no JSON: {error}.") from error
    if not isinstance(found, dict) or found.get("format") != FORMAT or found.get("format_version") != FORMAT_VERSION:
        raise InputError(
            f"{path} is no evaluation of this version; accepted is what `secondpass evaluate --out FILE.json` writes "
            f"(format {FORMAT!r}, version {FORMAT_VERSION})."
        )
    try:
        return record_of(Report, found)
    except (TypeError, KeyError, ValueError) as error:
        raise InputError(
            f"{path} is an evaluation with a part that cannot be read ({error}); make it again."
        ) from error
