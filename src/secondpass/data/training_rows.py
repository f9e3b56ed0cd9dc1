"""Lines of training files as records under the names that people give their columns: JSON lines, CSV and TSV."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from secondpass.data.lines import MAXIMUM_LINE_CHARACTERS, parse_object, read_all_lines, read_lines
from secondpass.data.passages import BadLine
from secondpass.errors import InputError

_TABLES = {".csv": ",", ".tsv": "\t"}
_TABLE_LISTS = "["


@dataclass(frozen=True, slots=True)
class Row:
    """A record and the number of the line it begins on."""

    number: int
    record: dict[str, Any]


def read_rows(path: str, columns: Mapping[str, str]) -> Iterator[Row | BadLine]:
    """Yield the record of every line of a file, its columns renamed: ``columns`` is ``{our key: their column}``.

    A name that ends in .csv or .tsv (or .csv.gz, .tsv.gz) is a table whose first line names the columns; cells that are
    JSON lists or numbers count as such where a text is not what is wanted. Everything else is JSON lines.

    Raises:
        InputError: the file cannot be read, or a column is not there.
    """
    delimiter = table_delimiter(path)
    rows = _table_rows(path, delimiter) if delimiter else _json_rows(path)
    for row in rows:
        if isinstance(row, BadLine) or not columns:
            yield row
            continue
        try:
            yield Row(row.number, _renamed(row.record, columns, f"{path}:{row.number}"))
        except InputError as error:
            yield BadLine(row.number, str(error))


def table_delimiter(path: str) -> str:
    """Return what separates the columns of a table, by the file's name; empty for a file of JSON lines."""
    return _TABLES.get(Path(path.removesuffix(".gz")).suffix.lower(), "")


def _json_rows(path: str) -> Iterator[Row | BadLine]:
    for number, line in read_lines(path):
        try:
            yield Row(number, parse_object(line, f"{path}:{number}"))
        except InputError as error:
            yield BadLine(number, str(error))


def _table_rows(path: str, delimiter: str) -> Iterator[Row | BadLine]:
    """Yield the rows of a table; a quoted cell of a CSV may hold line breaks, a TSV has no quotes."""
    csv.field_size_limit(MAXIMUM_LINE_CHARACTERS)
    reader = csv.reader(
        (line for _, line in read_all_lines(path)),
        delimiter=delimiter,
        quoting=csv.QUOTE_MINIMAL if delimiter == "," else csv.QUOTE_NONE,
        strict=True,
    )
    names: list[str] = []
    number = 1
    try:
        for cells in reader:
            if cells and not names:
                names = _column_names(cells, f"{path}:{number}")
            elif len(cells) > len(names):
                found = f"{path}:{number}: {len(cells)} cells, where the first line names {len(names)} columns."
                yield BadLine(number, found)
            elif cells:
                yield Row(number, {name: _cell(cell) for name, cell in zip(names, cells, strict=False)})
            number = reader.line_num + 1
    except csv.Error as error:
        raise InputError(f"{path}:{number}: this row of the table cannot be read ({error}).") from error


def _column_names(cells: list[str], place: str) -> list[str]:
    names = [cell.strip() for cell in cells]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"{place}: the first line names the columns, and {twice!r} stands twice in it.")
    return names


def _cell(text: str) -> Any:
    """Return what a cell holds: nothing, a list, or text."""
    if not text:
        return None
    if text.startswith(_TABLE_LISTS) and text.rstrip().endswith("]"):
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text


def _renamed(record: dict[str, Any], columns: Mapping[str, str], place: str) -> dict[str, Any]:
    for column in columns.values():
        if column not in record:
            there = ", ".join(f'"{name}"' for name in record)
            raise InputError(f"{place}: there is no column {column!r}; this line has {there}.")
    rest = {key: value for key, value in record.items() if key not in columns.values() and key not in columns}
    return {**{ours: record[theirs] for ours, theirs in columns.items()}, **rest}
