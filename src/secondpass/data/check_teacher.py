"""Negatives that a teacher holds for better than the positive, and labels that it holds for reversed."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from secondpass.data.reservoir import Reservoir
from secondpass.data.teacher import Teacher
from secondpass.data.training import TrainExample
from secondpass.data.training_findings import Finding, SeenExample, Tally
from secondpass.types import Json

_LEAST_ROWS = 20
_REVERSED = 0.7  # of the rows: the mean negative is better than the mean positive


class TeacherCheck:
    """A `Collector` that has a sample of ``size`` rows scored at the end; ``progress`` hears of every row."""

    def __init__(self, teacher: Teacher, size: int, seed: int, progress: Callable[[int, int], None]) -> None:
        self._teacher, self._size, self._progress = teacher, size, progress
        self._sample: Reservoir[TrainExample] = Reservoir(size, seed)
        self._facts: dict[str, Json] = {}

    def see(self, row: SeenExample) -> None:
        """Keep an example for the sample, if it has both sides."""
        if row.positives and row.negatives and row.example.query.strip():
            self._sample.add(row.example)

    @property
    def bound(self) -> str:
        """What was not looked at."""
        if self._sample.added <= self._size:
            return ""
        return f"negatives scored by {self._teacher.name}: a sample of {self._size:,} of {self._sample.added:,} rows"

    def facts(self) -> dict[str, Json]:
        """Return the figures, after `findings`."""
        return self._facts

    def findings(self) -> Iterator[Finding]:
        """Have the sample scored, and say what the teacher doubts."""
        rows, tally = self._sample.sample, Tally()
        negatives = reversed_rows = 0
        for done, row in enumerate(rows, start=1):
            scores = self._teacher.score(row.query, [*row.positives, *row.negatives])
            right, wrong = scores[: len(row.positives)], scores[len(row.positives) :]
            negatives += len(wrong)
            reversed_rows += sum(right) / len(right) < sum(wrong) / len(wrong)
            for score in wrong:
                if score > max(right):
                    tally.add("hard_negatives", row.place)
            self._progress(done, len(rows))
        if not rows:
            return
        name = self._teacher.name
        self._facts = {"teacher": name, "rows": len(rows), "rows_against_labels": reversed_rows / len(rows)}
        if len(rows) >= _LEAST_ROWS and reversed_rows > _REVERSED * len(rows):
            yield Finding(
                "labels_reversed",
                "spoils",
                reversed_rows,
                len(rows),
                f"rows whose negatives {name} holds for better than their positives: labels look reversed",
                "look at which label means relevant (FlagEmbedding's pos, a label of 1)",
            )
        what = f"negatives that {name} scores above every positive: they may be right, or the teacher wrong"
        advice = (
            "look at the first; data mine --teacher leaves such ones out; a stronger teacher says more than lexical"
        )
        yield from tally.finding("hard_negatives", "warning", negatives, what, advice)
