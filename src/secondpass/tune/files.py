"""What tuning found, as a file: all of it as JSON, the chosen setting as TOML."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from secondpass.config import RETRIEVERS
from secondpass.data.lines import write_whole
from secondpass.errors import InputError
from secondpass.evaluate.record_reading import record_of
from secondpass.rerank.threshold import MinScore
from secondpass.tune.records import TuningReport

FORMAT = "secondpass tuning"
FORMAT_VERSION = 1


def tuning_object(report: TuningReport) -> dict[str, Any]:
    """Return ``report`` as an object of JSON."""
    return {"format": FORMAT, "format_version": FORMAT_VERSION, **asdict(report)}


def write_tuning(report: TuningReport, path: str | Path) -> None:
    """Write ``report`` to ``path``: the setting alone where its name ends in .toml, else everything as JSON.

    Raises:
        InputError: the file cannot be written.
    """
    with write_whole(str(path)) as stream:
        if str(path).endswith(".toml"):
            stream.write(_as_toml(report))
        else:
            json.dump(tuning_object(report), stream, ensure_ascii=False, indent=1, allow_nan=False)
            stream.write("\n")


def read_tuning(path: str | Path) -> TuningReport:
    """Return the report of a JSON file that `write_tuning` wrote.

    Raises:
        InputError: the file is missing, no JSON, or no such report.
    """
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise InputError(f"{path} is no JSON: {error}.") from error
    if not isinstance(found, dict) or (found.get("format"), found.get("format_version")) != (FORMAT, FORMAT_VERSION):
        raise InputError(
            f"{path} is no tuning of this version; accepted is what `secondpass tune --out FILE.json` writes "
            f"(format {FORMAT!r}, version {FORMAT_VERSION})."
        )
    try:
        return record_of(TuningReport, found)
    except (TypeError, KeyError, ValueError) as error:
        raise InputError(f"{path} is a tuning with a part that cannot be read ({error}); make it again.") from error


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
