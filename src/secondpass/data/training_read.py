"""Read training data of any form, one example after the other: a file may be larger than memory."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from secondpass.data.lines import STREAM
from secondpass.data.passages import BadLine
from secondpass.data.training import TrainExample
from secondpass.data.training_folders import FolderFiles, find_files, read_folder
from secondpass.data.training_forms import FORMS, LINE_FORMS, Form, FormName, canonical, check_keys, detect_form
from secondpass.data.training_parse import parse_example
from secondpass.data.training_rows import Row, read_rows
from secondpass.errors import InputError

_LOOKED_AT = 20  # lines from which a form is told


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How training data is read.

    ``form``: what the file is, where its keys do not say it. ``columns``: ``{our key: the file's column}``.
    ``ignored``: keys that may stand there and are left out. ``positive_from``: the label from which a passage is a
    positive. ``files``: the files of a BEIR or TREC collection, where they do not lie in one folder; with
    ``files.qrels`` the path need not be there.
    """

    form: FormName | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()
    positive_from: float = 0.5
    files: FolderFiles = field(default_factory=FolderFiles)


@dataclass(frozen=True, slots=True)
class Examples:
    """Training data that was found and can be read as often as one likes (the standard input: once).

    ``path`` is where, ``form`` which form it has; ``note`` says what was chosen where nothing was asked for.
    """

    path: str
    form: FormName
    _read: Callable[[], Iterator[TrainExample | BadLine]]
    note: str = ""

    def __iter__(self) -> Iterator[TrainExample | BadLine]:
        return self._read()


def open_examples(path: str | Path, options: ReadOptions | None = None) -> Examples:
    """Find out in which form the training data at ``path`` is (``-`` = standard input); nothing is kept in memory.

    Raises:
        InputError: there is nothing, or it has none of the forms.
    """
    options = options or ReadOptions()
    path = str(path)
    if options.files.qrels or (path != STREAM and Path(path).is_dir()):
        files = find_files(Path(path), options.files)
        return Examples(path, files.form, lambda: read_folder(files), files.note)
    if options.files != FolderFiles():
        raise InputError(
            f"{path} is a file; split, run, corpus, queries and candidates belong to a collection: a folder, or what "
            "--qrels names."
        )
    rows = read_rows(path, options.columns)
    first = list(itertools.islice(rows, _LOOKED_AT))
    form = _form_of(first, path, options)
    if row := next((row for row in first if isinstance(row, Row)), None):
        check_keys(row.record, form, options.ignored, f"{path}:{row.number}")
    if path == STREAM:
        return Examples(path, form.name, lambda: _parsed(itertools.chain(first, rows), path, form, options))
    return Examples(path, form.name, lambda: _parsed(read_rows(path, options.columns), path, form, options))


def good_examples(examples: Iterable[TrainExample | BadLine]) -> Iterator[TrainExample]:
    """Yield the examples of data that must be whole.

    Raises:
        InputError: a line cannot be used; the message is that of the line.
    """
    for example in examples:
        if isinstance(example, BadLine):
            raise InputError(example.reason)
        yield example


def _form_of(first: list[Row | BadLine], path: str, options: ReadOptions) -> Form:
    if options.form:
        if options.form not in LINE_FORMS:
            raise InputError(f"{path} is a file; the form {options.form} is a folder.")
        return FORMS[options.form]
    rows = [(row.number, row.record) for row in first if isinstance(row, Row)]
    bad = [row.reason for row in first if isinstance(row, BadLine)]
    if not rows:
        raise InputError(bad[0] if bad else f"{path} is empty; there is nothing to learn from.")
    return detect_form(rows, path)


def _parsed(
    rows: Iterable[Row | BadLine], path: str, form: Form, options: ReadOptions
) -> Iterator[TrainExample | BadLine]:
    first_with_id: dict[int, int] = {}
    for row in rows:
        if isinstance(row, BadLine):
            yield row
            continue
        place = f"{path}:{row.number}"
        try:
            record = canonical(row.record, form, options.ignored, place)
            example = parse_example(record, form, place, options.positive_from)
            if "id" in record:
                key = hash(str(record["id"]))
                if key in first_with_id:
                    raise InputError(f"{place}: the id {record['id']!r} stands on line {first_with_id[key]} too.")
                first_with_id[key] = row.number
        except InputError as error:
            yield BadLine(row.number, str(error))
            continue
        yield example
