"""What tuning found, as a file: all of it as JSON, the chosen setting as TOML."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from secondpass.config import RETRIEVERS
from secondpass.data.lines import write_whole
from secondpass.evaluate.record_reading import FileForm, read_record, record_object, write_record
from secondpass.rerank.threshold import MinScore
from secondpass.tune.records import TuningReport

_FORM = FileForm(1, "tuning", "secondpass tune --out FILE.json")


def tuning_object(report: TuningReport) -> dict[str, Any]:
    """Return ``report`` as an object of JSON."""
    return record_object(report, _FORM)


def write_tuning(report: TuningReport, path: str | Path) -> None:
    """Write ``report`` to ``path``: the setting alone where its name ends in .toml, else everything as JSON.

    Raises:
        InputError: the file cannot be written.
    """
    if not str(path).endswith(".toml"):
        write_record(report, path, _FORM)
        return
    with write_whole(str(path)) as stream:
        stream.write(_as_toml(report))


def read_tuning(path: str | Path) -> TuningReport:
    """Return the report of a JSON file that `write_tuning` wrote.

    Raises:
        InputError: the file is missing, no JSON, or no such report.
    """
    return read_record(TuningReport, path, _FORM)


def _as_toml(report: TuningReport) -> str:
    setting = report.chosen
    values: dict[str, str | list[str]] = {}
    depth = setting.depth if setting.stages else setting.top_n
    if setting.first_stage in RETRIEVERS:
        values["retrieve"] = f"{setting.first_stage}@{depth}"
    values["rerank"] = [f"{stage.reranker}@{stage.keep}" for stage in setting.stages]
    if setting.threshold is not None:
        values["min_score"] = str(MinScore(setting.threshold, setting.scale))
    # A JSON text is a TOML text as well: both escape in the same way.
    lines = [f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in values.items()]
    about = f"# secondpass tune, {report.created}, {report.task.splitlines()[0] if report.task else ''}"
    promise = [f"# {report.threshold.promise}"] if report.threshold and setting.threshold is not None else []
    return "\n".join([about, *promise, *lines]) + "\n"
