"""How far a model's labels agree with those of people, where questions have both."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from secondpass.evaluate.labelling_files import Label
from secondpass.evaluate.labelling_prompts import ANSWERS_FROM


@dataclass(frozen=True, slots=True)
class Agreement:
    """Pairs that both have judged.

    ``kappa``: Cohen's, of relevant or not (None: one of them says the same of all); ``agreeing``: the share of pairs on
    which they say the same. ``confusion``: ``(grade by people, grade by the model, pairs)``.
    """

    pairs: int
    kappa: float | None
    agreeing: float
    confusion: tuple[tuple[int, int, int], ...]


def compare_labels(
    labels: Iterable[Label], human: Mapping[str, Mapping[str, int]], min_grade: int = 1
) -> Agreement | None:
    """Compare ``labels`` with the judgements of people; None where no question has both.

    Judgements by people list what is relevant: a passage that they do not name is taken for grade 0. People mean an
    answer from ``min_grade`` on, the model from 2 on.
    """
    both = [(human[label.query_id].get(label.doc_id, 0), label.grade) for label in labels if label.query_id in human]
    if not both:
        return None
    said = [(person >= min_grade, model >= ANSWERS_FROM) for person, model in both]
    counts = sorted(Counter(both).items())
    return Agreement(
        pairs=len(both),
        kappa=cohen_kappa(said),
        agreeing=sum(person == model for person, model in said) / len(said),
        confusion=tuple((person, model, count) for (person, model), count in counts),
    )


def cohen_kappa(said: Sequence[tuple[object, object]]) -> float | None:
    """Return Cohen's kappa of two judges (Cohen 1960); None where chance alone explains everything.

    >>> cohen_kappa([(1, 1)] * 20 + [(1, 0)] * 5 + [(0, 1)] * 10 + [(0, 0)] * 15)
    0.4
    """
    first, second = Counter(a for a, _ in said), Counter(b for _, b in said)
    by_chance = sum(first[value] * second[value] for value in first) / len(said) ** 2
    if by_chance >= 1:
        return None
    seen = sum(a == b for a, b in said) / len(said)
    return round((seen - by_chance) / (1 - by_chance), 12)
