"""The hard negatives of a question."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from secondpass.data.negative_filters import Margins, NegativeFilter
from secondpass.data.negative_sources import FoundPassage, NegativeSource
from secondpass.data.teacher import Teacher
from secondpass.data.training import TrainExample
from secondpass.data.training_texts import text_key
from secondpass.data.training_write import with_negatives_at
from secondpass.errors import InputError
from secondpass.types import Json

Choose = Literal["top", "random"]
_WITHOUT_TEACHER, _WITH_TEACHER = (10, 50), (1, 50)


@dataclass(frozen=True, slots=True)
class MineOptions:
    """What negatives are wanted.

    ``ranks``: between which ranks of the first stage, both included (None: 10 to 50; with a teacher 1 to 50, whose
    margin does what passing over the first does). ``negatives``: how many a row has at the end. ``choose``: the best
    ranked ones, or by lot. ``keep_given``: negatives of the file stay, and count. ``fill``: what is missing is drawn by
    lot from the corpus. ``near``: from what share of common runs on a passage counts as a positive.
    """

    ranks: tuple[int, int] | None = None
    negatives: int = 7
    choose: Choose = "top"
    margins: Margins = field(default_factory=Margins)
    keep_given: bool = True
    fill: bool = False
    near: float = 0.8
    seed: int = 13

    def window(self, has_teacher: bool) -> tuple[int, int]:
        """Return the first and the last rank.

        Raises:
            InputError: they are none.
        """
        first, last = self.ranks or (_WITH_TEACHER if has_teacher else _WITHOUT_TEACHER)
        if not 1 <= first <= last:
            raise InputError(f"The ranks are {first}-{last}; they count from 1, the lower first, such as 10-50.")
        return first, last


class RowMiner:
    """Mines the negatives of rows; ``counts`` says how many, ``rejected`` learns why passages were not taken."""

    def __init__(
        self, source: NegativeSource, teacher: Teacher | None, options: MineOptions, rejected: Counter[str]
    ) -> None:
        self._source, self._teacher, self._options, self._rejected = source, teacher, options, rejected
        self._window = options.window(teacher is not None)
        self._scores: dict[str, float] = {}
        self.counts: Counter[str] = Counter()

    @property
    def depth(self) -> int:
        """How many passages of a question are looked at."""
        return self._window[1]

    def wants(self, example: TrainExample) -> bool:
        """Tell whether passages are to be found for an example."""
        given = len(example.negatives) if self._options.keep_given else 0
        return bool(example.positives) and given < self._options.negatives

    def mine(self, example: TrainExample, right: Sequence[int], ranked: Sequence[FoundPassage]) -> TrainExample:
        """Return the example with new negatives out of ``ranked``; ``right`` are keys of its question's positives."""
        options = self._options
        self._scores = {}
        lot = random.Random(f"{options.seed} {text_key(example.query)}")
        given = example if options.keep_given else with_negatives_at(example, ())
        wanted = max(options.negatives - len(given.negatives), 0)
        passed = NegativeFilter(example.positives, right, options.near, self._rejected)
        for text in given.negatives:
            passed.take(text)
        found = self._in_window(ranked, passed, lot)
        self._score([*given.positives, *given.negatives, *(one.text for one in found)], given.query)
        chosen = _take(self._allowed(found, given), passed, wanted)
        self.counts["mined"] += len(chosen)
        if options.fill and len(chosen) < wanted:
            others = [one for one in self._source.draw(3 * wanted + 10, lot) if not passed.is_right(one.text)]
            drawn = _take(others, passed, wanted - len(chosen))
            self.counts["drawn"] += len(drawn)
            self._score_drawn([one.text for one in drawn], given.query)
            chosen = [*chosen, *drawn]
        self.counts["short"] += bool(example.positives) and len(chosen) < wanted
        return self._written(given, chosen)

    def _in_window(
        self, ranked: Sequence[FoundPassage], passed: NegativeFilter, lot: random.Random
    ) -> list[FoundPassage]:
        first = self._window[0]
        found = [one for one in ranked if one.rank is not None and one.rank >= first and not passed.is_right(one.text)]
        if self._options.choose == "random":
            lot.shuffle(found)
        return found

    def _score(self, texts: Sequence[str], query: str) -> None:
        if self._teacher is not None and texts:
            distinct = list(dict.fromkeys(texts))
            self._scores = dict(zip(distinct, self._teacher.score(query, distinct), strict=True))

    def _score_drawn(self, texts: Sequence[str], query: str) -> None:
        """Score passages drawn by lot; behind an order of others they come last."""
        if self._teacher is None or not texts:
            return
        if self._teacher.scale == "rank_only":
            lowest = min(self._scores.values(), default=0.0) - 1
            self._scores |= dict.fromkeys(texts, lowest)
        else:
            self._scores |= dict(zip(texts, self._teacher.score(query, texts), strict=True))

    def _allowed(self, found: Sequence[FoundPassage], example: TrainExample) -> list[FoundPassage]:
        """Return what the teacher places far enough below the lowest positive."""
        if self._teacher is None or not found:
            return list(found)
        lowest = min(self._scores[text] for text in example.positives)
        scale = self._teacher.scale
        allowed = [one for one in found if self._options.margins.allows(self._scores[one.text], lowest, scale)]
        self._rejected["too near to the positive for the teacher"] += len(found) - len(allowed)
        return allowed

    def _written(self, given: TrainExample, chosen: Sequence[FoundPassage]) -> TrainExample:
        """Return the example with its negatives, where each came from, and the teacher's scores."""
        negatives = (*given.negatives, *(one.text for one in chosen))
        provenance: dict[str, Json] = {key: value for key, value in given.provenance.items() if key != "negative_ids"}
        provenance["negatives"] = [*_known(given), *(self._provenance(one) for one in chosen)]
        if self._teacher is None:
            mined = replace(given, negatives=negatives, provenance=provenance)
            # What the file says of some passages says nothing of the others.
            return replace(mined, positive_scores=None, negative_scores=None) if chosen else mined
        provenance |= {"teacher": self._teacher.name, "teacher_scale": str(self._teacher.scale)}
        provenance.pop("scores_are", None)
        return replace(
            given,
            negatives=negatives,
            provenance=provenance,
            positive_scores=tuple(self._scores[text] for text in given.positives),
            negative_scores=tuple(self._scores[text] for text in negatives),
        )

    def _provenance(self, one: FoundPassage) -> Json:
        source = self._source.name if one.rank is not None else "random"
        return {"source": source, "rank": one.rank, "score": one.score, "id": one.id}


def _take(found: Sequence[FoundPassage], passed: NegativeFilter, wanted: int) -> list[FoundPassage]:
    taken: list[FoundPassage] = []
    for one in found:
        if len(taken) == wanted:
            break
        if not passed.is_known(one.text):
            passed.take(one.text)
            taken.append(one)
    return taken


def _known(example: TrainExample) -> list[Json]:
    """Return where the given negatives came from, as far as it is known."""
    known = example.provenance.get("negatives")
    if isinstance(known, list | tuple) and len(known) == len(example.negatives):
        return list(known)
    return [{"source": "given", "rank": None, "score": None, "id": None} for _ in example.negatives]
