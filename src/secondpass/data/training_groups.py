"""Bring rows of one question together: a pair a line becomes an example a question, on the disk."""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

from secondpass.data.training import TrainExample
from secondpass.data.training_parse import SCORES_ARE_LABELS
from secondpass.types import Json

_FIELDS = tuple(field.name for field in fields(TrainExample))
_ALIGNED = (("positive_ids", "positives"), ("negative_ids", "negatives"), ("negatives", "negatives"))
_OWN = {"id"}
"""Provenance of a row that is not the question's."""


def grouped(examples: Iterable[TrainExample], counts: Counter[str]) -> Iterator[TrainExample]:
    """Yield one example for each question (and prompt), in the order in which questions come first.

    A passage that comes twice on the same side is kept once; ``counts`` learns how many rows were joined, passages
    dropped, and examples lost scores that only some of their rows had.
    """
    with tempfile.TemporaryDirectory(prefix="secondpass-") as folder:
        database = sqlite3.connect(Path(folder) / "rows.sqlite", isolation_level=None)
        try:
            database.execute("PRAGMA journal_mode = OFF")
            database.execute("PRAGMA synchronous = OFF")
            database.execute("CREATE TABLE rows (number INTEGER PRIMARY KEY, question BLOB, example TEXT)")
            database.execute("BEGIN")
            for example in examples:
                row = (_key(example), json.dumps([getattr(example, name) for name in _FIELDS], ensure_ascii=False))
                database.execute("INSERT INTO rows (question, example) VALUES (?, ?)", row)
            database.execute("CREATE INDEX by_question ON rows (question, number)")
            for rows in _rows_of_questions(database):
                yield _joined(rows, counts)
        finally:
            database.close()


def _rows_of_questions(database: sqlite3.Connection) -> Iterator[list[TrainExample]]:
    firsts = database.execute("SELECT min(number) AS first, question FROM rows GROUP BY question ORDER BY first")
    for _, question in firsts:
        rows = database.execute("SELECT example FROM rows WHERE question = ? ORDER BY number", (question,))
        yield [_loaded(text) for (text,) in rows]


def _key(example: TrainExample) -> bytes:
    return blake2b(json.dumps([example.query, example.prompt]).encode(), digest_size=16).digest()


def _loaded(text: str) -> TrainExample:
    values: list[Any] = [tuple(value) if isinstance(value, list) else value for value in json.loads(text)]
    return TrainExample(*values)


def _joined(rows: Sequence[TrainExample], counts: Counter[str]) -> TrainExample:
    first = rows[0]
    if len(rows) == 1:
        return first
    counts["rows joined with the first row of their question"] += len(rows) - 1
    sides: dict[str, tuple[str, ...]] = {}
    kept: dict[str, list[tuple[int, int]]] = {}
    for side in ("positives", "negatives"):
        kept[side] = _places(rows, side)
        sides[side] = tuple(getattr(rows[row], side)[place] for row, place in kept[side])
        counts["passages that stood twice for their question"] += sum(len(getattr(row, side)) for row in rows) - len(
            sides[side]
        )
    scores = _scores(rows, kept)
    if scores is None and any(row.positive_scores or row.negative_scores for row in rows):
        counts["questions that lost scores, which only some of their rows had"] += 1
    joined = replace(first, positives=sides["positives"], negatives=sides["negatives"], provenance=_known(rows, kept))
    parted = scores or (None, None)
    return replace(joined, positive_scores=parted[0], negative_scores=parted[1])


def _places(rows: Sequence[TrainExample], side: str) -> list[tuple[int, int]]:
    """Return the row and place of each different passage of a side."""
    places: dict[str, tuple[int, int]] = {}
    for number, row in enumerate(rows):
        for place, text in enumerate(getattr(row, side)):
            places.setdefault(text, (number, place))
    return list(places.values())


def _scores(
    rows: Sequence[TrainExample], kept: dict[str, list[tuple[int, int]]]
) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    """Return the scores of the kept passages; rows with the labels 0 and 1 stand beside graded ones."""
    graded = any("scores_are" in row.provenance for row in rows)
    found: list[tuple[float, ...]] = []
    for side, scores_of, label in (("positives", "positive_scores", 1.0), ("negatives", "negative_scores", 0.0)):
        scores = []
        for row, place in kept[side]:
            of_row = getattr(rows[row], scores_of)
            if of_row is None and not graded:
                return None
            scores.append(label if of_row is None else of_row[place])
        found.append(tuple(scores))
    return found[0], found[1]


def _known(rows: Sequence[TrainExample], kept: dict[str, list[tuple[int, int]]]) -> dict[str, Json]:
    """Return what is known of the passages where every row says it, and what the first row says of the question."""
    aligned = {key for key, _ in _ALIGNED}
    known: dict[str, Json] = {
        key: value
        for key, value in rows[0].provenance.items()
        if key not in aligned and not (key in _OWN and rows[1].provenance.get(key) != value)
    }
    if any("scores_are" in row.provenance for row in rows):
        known.update(SCORES_ARE_LABELS)
    for key, side in _ALIGNED:
        lists = [row.provenance.get(key) for row in rows]
        if all(
            isinstance(one, list | tuple) and len(one) == len(getattr(row, side))
            for one, row in zip(lists, rows, strict=True)
        ):
            known[key] = [lists[row][place] for row, place in kept[side]]  # type: ignore[index]
    return known
