"""Labels as they come, a line each, so that a killed run goes on; and the judgements that are made of them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from secondpass.data.lines import parse_object, read_lines, write_whole
from secondpass.errors import InputError
from secondpass.types import Qrels

LABELS_SUFFIX = ".labels.jsonl"
ABOUT_SUFFIX = ".about.json"


@dataclass(frozen=True, slots=True)
class Label:
    """A model's grade of a passage for a question.

    ``key`` is a hash of everything it was given on: model, question, passage, prompt. ``reading``: whether its reply
    came ``clean`` or had to be ``repaired``; ``empty``: the passage has no text, and was not shown.
    """

    query_id: str
    doc_id: str
    grade: int
    model: str
    reading: str
    key: str


class LabelFile:
    """The labels of a file, which grows by a line for each new one; a last line that was cut off is dropped.

    Raises:
        InputError: the file cannot be read or written, or a line is no label.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.torn = _drop_torn_line(self.path)
            self.known = {label.key: label for label in _read(self.path)} if self.path.exists() else {}
            self._stream: IO[str] = self.path.open("a", encoding="utf-8", newline="\n")
        except OSError as error:
            raise InputError(f"The labels at {path} cannot be kept: {error.strerror}.") from error

    def __enter__(self) -> LabelFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    def add(self, label: Label) -> None:
        """Keep a label; it outlives a killed process."""
        self._stream.write(json.dumps(asdict(label), ensure_ascii=False) + "\n")
        self._stream.flush()
        self.known[label.key] = label


def _drop_torn_line(path: Path) -> bool:
    """Cut the file behind its last whole line; tell whether there was something to cut."""
    if not path.exists():
        return False
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        os.truncate(path, whole)
    return whole < len(content)


def _read(path: Path) -> list[Label]:
    labels = []
    for number, line in read_lines(str(path)):
        record = parse_object(line, f"{path}:{number}")
        try:
            labels.append(Label(**record))
        except TypeError as error:
            raise InputError(
                f"{path}:{number}: this is no label ({error}); accepted is what `secondpass label` writes. "
                "Name another file with --out, or remove this one."
            ) from error
    return labels


def write_judgements(labels: Iterable[Label], path: str | Path, about: dict[str, Any]) -> None:
    """Write labels as judgements in TREC's form (query_id, 0, doc_id, grade), and beside them ``about``: who judged.

    Raises:
        InputError: a file cannot be written.
    """
    with write_whole(str(path)) as stream:
        for label in labels:
            stream.write(f"{label.query_id}\t0\t{label.doc_id}\t{label.grade}\n")
    with write_whole(f"{path}{ABOUT_SUFFIX}") as stream:
        json.dump(about, stream, ensure_ascii=False, indent=1)
        stream.write("\n")


def read_about(path: str | Path) -> dict[str, Any]:
    """Return what stands beside judgements that a model made; nothing where people made them."""
    beside = Path(f"{path}{ABOUT_SUFFIX}")
    if not beside.is_file():
        return {}
    return parse_object(beside.read_text(encoding="utf-8"), str(beside))


def as_qrels(labels: Iterable[Label]) -> Qrels:
    """Return labels as judgements."""
    qrels: Qrels = {}
    for label in labels:
        qrels.setdefault(label.query_id, {})[label.doc_id] = label.grade
    return qrels
