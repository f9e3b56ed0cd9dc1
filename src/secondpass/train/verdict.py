"""Say whether a model got better: the same questions before and after, with intervals and a paired test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from secondpass.evaluate.records import Difference, Estimate
from secondpass.evaluate.statistics import difference, estimate
from secondpass.train.development import DevList, Measured

Kind = Literal["better", "worse", "not shown"]
_LEVEL = 0.05
_WORST = 5


@dataclass(frozen=True, slots=True)
class Compared:
    """One measure before and after, and the difference question by question."""

    before: Estimate
    after: Estimate
    difference: Difference


@dataclass(frozen=True, slots=True)
class WorseQuestion:
    """A question that got worse by the deciding measure."""

    query: str
    before: float
    after: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """A model before and after on one set of questions; ``measures`` by name, the first decides ``kind``."""

    name: str
    questions: int
    measures: Mapping[str, Compared]
    loss: tuple[float, float]
    kind: Kind
    worst: tuple[WorseQuestion, ...]

    def __str__(self) -> str:
        measure, compared = next(iter(self.measures.items()))
        found = compared.difference
        moved = f"{100 * found.mean:+.1f} {measure}, 95% interval {100 * found.low:+.1f} to {100 * found.high:+.1f}"
        tested = f"{moved}, p {found.p_value:.3g}, {self.questions:,} questions"
        if self.kind == "better":
            return f"On {self.name} it got better ({tested})."
        if self.kind == "worse":
            return f"On {self.name} it got worse ({tested})."
        return f"On {self.name} no difference can be shown ({tested}); do not call it an improvement."


def judge(name: str, lists: Sequence[DevList], before: Measured, after: Measured) -> Verdict:
    """Compare two measurements of the same ``lists``."""
    measures = {}
    for measure, values in after.per_query.items():
        earlier = [before.per_query[measure][one.query_id] for one in lists]
        later = [values[one.query_id] for one in lists]
        measures[measure] = Compared(estimate(earlier), estimate(later), difference(later, earlier))
    deciding = next(iter(measures))
    found = measures[deciding].difference
    shown = found.p_value < _LEVEL
    kind: Kind = "better" if shown and found.low > 0 else "worse" if shown and found.high < 0 else "not shown"
    values_before, values_after = before.per_query[deciding], after.per_query[deciding]
    drops = sorted(lists, key=lambda one: values_after[one.query_id] - values_before[one.query_id])
    worst = tuple(
        WorseQuestion(one.query, values_before[one.query_id], values_after[one.query_id])
        for one in drops[:_WORST]
        if values_after[one.query_id] < values_before[one.query_id]
    )
    return Verdict(name, len(lists), measures, (before.loss, after.loss), kind, worst)
