"""What stands twice: rows, questions, and passages that are right in one place and wrong in another."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from secondpass.data.hash_log import HashLog
from secondpass.data.training_findings import Finding, SeenExample, Tally, file_of, first_places
from secondpass.data.training_texts import may_resemble, passage_shingles, resemblance, text_key

_MASK = (1 << 64) - 1
_NO_TEXT = text_key("")  # empty texts are a finding of their own


class RepeatCheck:
    """A `Collector` of rows and questions that stood before."""

    def __init__(self) -> None:
        self._file = ""
        self._rows, self._queries = HashLog(), HashLog()

    def see(self, row: SeenExample) -> None:
        """Remember a row and its question, as hashes."""
        self._file = self._file or file_of(row.example)
        self._queries.add(row.query, row.line)
        self._rows.add(row_key(row), row.line)

    @property
    def repeated_lines(self) -> set[int]:
        """The lines of rows that stood before."""
        return {int(line) for line in self._rows.lines[self._rows.repeated()]}

    @property
    def queries(self) -> HashLog:
        """The questions."""
        return self._queries

    def findings(self) -> Iterator[Finding]:
        """Say what was found."""
        for name, log, severity, what, advice in (
            ("repeated_rows", self._rows, "warning", "rows that stand before already", "leave them out; --fix does"),
            (
                "repeated_queries",
                self._queries,
                "note",
                "rows whose question stands before already",
                "fine where it has other passages; data convert --group brings them together",
            ),
        ):
            places = log.repeated()
            if len(places):
                lines = (int(line) for line in log.lines[places])
                yield Finding(name, severity, len(places), len(log), what, advice, first_places(self._file, lines))  # type: ignore[arg-type]


def row_key(row: SeenExample) -> int:
    """Return 64 bits that are equal for rows of the same texts, in whichever order the passages stand."""
    sides = (sorted(row.positives), sorted(row.negatives))
    return hash((row.query, tuple(sides[0]), tuple(sides[1]), text_key(row.example.prompt or ""))) & _MASK


def pair_key(query: int, passage: int) -> int:
    """Return 64 bits for a question with a passage."""
    return hash((query, passage)) & _MASK


class ConflictCheck:
    """A `Collector` of passages that are positive and negative at once: in one row, and in rows of one question.

    Near ones (``threshold`` of their runs shared) are looked for in the first ``near_rows`` rows.
    """

    def __init__(self, threshold: float, near_rows: int) -> None:
        self._file, self._threshold, self._near_rows = "", threshold, near_rows
        self._tally = Tally()
        self._rows = self._negatives = 0
        self._right, self._wrong = HashLog(), HashLog()

    def see(self, row: SeenExample) -> None:
        """Compare the sides of a row, and remember them."""
        self._file = self._file or file_of(row.example)
        self._rows += 1
        self._negatives += len(row.negatives)
        right = set(row.positives) - {_NO_TEXT}
        for key in right:
            self._right.add(pair_key(row.query, key), row.line)
        for key in row.negatives:
            if key in right:
                self._tally.add("positive_as_negative", row.example.place)
            elif key != _NO_TEXT:
                self._wrong.add(pair_key(row.query, key), row.line)
        if len(set(row.negatives)) < len(row.negatives):
            self._tally.add("negative_twice", row.example.place)
        if self._rows <= self._near_rows:
            for _ in near_positives(row, self._threshold):
                self._tally.add("positive_nearly_as_negative", row.example.place)

    @property
    def conflicts(self) -> set[int]:
        """The keys of question and passage that are right in one row and wrong in another."""
        return {int(key) for key in np.intersect1d(self._right.hashes, self._wrong.hashes)}

    @property
    def bound(self) -> str:
        """What was not looked at."""
        if self._rows <= self._near_rows:
            return ""
        return f"near-equal positives and negatives: the first {self._near_rows:,} of {self._rows:,} rows"

    def findings(self) -> Iterator[Finding]:
        """Say what was found."""
        tally, negatives = self._tally, self._negatives
        drop = "they teach the opposite: leave these negatives out; --fix does"
        yield from tally.finding(
            "positive_as_negative", "spoils", negatives, "negatives that are a positive of their row", drop
        )
        near = f"negatives that share {self._threshold:.0%} of their words with a positive of their row"
        yield from tally.finding("positive_nearly_as_negative", "spoils", negatives, near, drop)
        places = self._wrong.also_in(self._right)
        if len(places):
            lines = (int(line) for line in self._wrong.lines[places])
            what = "negatives that are a positive of their question in another row"
            yield Finding(
                "positive_as_negative_elsewhere",
                "spoils",
                len(places),
                negatives,
                what,
                drop,
                first_places(self._file, lines),
            )
        yield from tally.finding(
            "negative_twice", "note", self._rows, "rows in which a negative stands twice", "leave one out; --fix does"
        )


def near_positives(row: SeenExample, threshold: float) -> Iterator[int]:
    """Yield the places of negatives that nearly are a positive of their row, and not just that."""
    right = set(row.positives)
    if not row.negatives or not row.positives:
        return
    positives = [passage_shingles(text) for text in row.example.positives]
    for place, (key, text) in enumerate(zip(row.negatives, row.example.negatives, strict=True)):
        if key in right or not text.strip():
            continue
        shingles = passage_shingles(text)
        if any(may_resemble(one, shingles, threshold) and resemblance(one, shingles) >= threshold for one in positives):
            yield place
