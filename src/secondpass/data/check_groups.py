"""Groups and labels: how many positives and negatives a question has, and whether labels and scores say anything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np

from secondpass.data.training import TrainExample
from secondpass.data.training_findings import Finding, SeenExample, Tally
from secondpass.types import Json

_LEAST_ROWS = 20


class GroupCheck:
    """A `Collector` of numbers of passages, labels and teacher scores."""

    def __init__(self) -> None:
        self._tally = Tally()
        self._positives: Counter[int] = Counter()
        self._negatives: Counter[int] = Counter()
        self._scored = self._within_one = 0

    def see(self, row: SeenExample) -> None:
        """Count an example."""
        example = row.example
        self._positives[len(example.positives)] += 1
        self._negatives[len(example.negatives)] += 1
        if not example.positives:
            self._tally.add("no_positive", example.place)
        if not example.negatives:
            self._tally.add("no_negative", example.place)
        scores = [*(example.positive_scores or ()), *(example.negative_scores or ())]
        if not scores or "scores_are" in example.provenance:
            return
        self._scored += 1
        self._within_one += all(0 <= score <= 1 for score in scores)
        if len(scores) > 1 and max(scores) == min(scores):
            self._tally.add("equal_scores", example.place)
        elif _teacher_disagrees(example):
            self._tally.add("teacher_disagrees", example.place)

    @property
    def rows(self) -> int:
        """How many examples there were."""
        return sum(self._positives.values())

    def facts(self) -> dict[str, Json]:
        """Return least, median and most positives and negatives of a row."""
        return {
            "positives": _spread(self._positives),
            "negatives": _spread(self._negatives),
            "scored_rows": self._scored,
        }

    def findings(self) -> Iterator[Finding]:
        """Say what was found."""
        tally, rows = self._tally, self.rows
        none_at_all = tally.counts["no_negative"] == rows or tally.counts["no_positive"] == rows
        if none_at_all and rows:
            side = "negative" if tally.counts["no_negative"] == rows else "positive"
            advice = "data mine finds negatives" if side == "negative" else "look at the labels, or at --positive-from"
            what = f"rows without a {side}, which is all of them: with labels all alike nothing is learned"
            yield from tally.finding(f"no_{side}", "spoils", rows, what, advice)
            return
        for name, of, what, advice in (
            (
                "no_positive",
                rows,
                "questions without a positive",
                "nothing is learned from them; --fix leaves them out",
            ),
            ("no_negative", rows, "questions without a negative", "they add nothing to a group; data mine finds some"),
            ("equal_scores", self._scored, "rows whose teacher scores are all equal", "score them anew, or not at all"),
            (
                "teacher_disagrees",
                self._scored,
                "rows in which a negative's teacher score is above that of every positive",
                "such a negative may be right: look at it, or data mine with a margin",
            ),
        ):
            yield from tally.finding(name, "warning", of, what, advice)
        if self._scored >= _LEAST_ROWS and self._within_one == self._scored:
            what = "teacher scores all lie between 0 and 1"
            advice = "a softmax over them is nearly flat: give raw scores (logits), or raise the temperature"
            yield Finding("scores_are_probabilities", "warning", self._scored, self._scored, what, advice)


def _teacher_disagrees(example: TrainExample) -> bool:
    positive, negative = example.positive_scores, example.negative_scores
    return bool(positive and negative and max(negative) > max(positive))


def _spread(counts: Counter[int]) -> dict[str, Json]:
    values = np.repeat(list(counts), list(counts.values())) if counts else np.zeros(1)
    return {"least": int(values.min()), "median": float(np.median(values)), "most": int(values.max())}
