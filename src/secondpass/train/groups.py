"""Which passages a question is taught with, and in which order questions come: everything follows from the seed.

Nothing here remembers anything: the groups of a step are the same whether the run comes to it undisturbed or resumed,
on one device or on many.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from secondpass.data.training import TrainExample


@dataclass(frozen=True, slots=True)
class Group:
    """One question with the passages of one step, the relevant one first; alone, it teaches where its answer stands.

    ``teacher``: raw scores, one a passage, where every one of them has any. ``answers``: the words of the first passage
    that answer, where an example names any.
    """

    query: str
    passages: tuple[str, ...]
    grades: tuple[float, ...]
    teacher: tuple[float, ...] | None = None
    answers: tuple[str, ...] = ()


def make_group(example: TrainExample, size: int, seed: int, epoch: int, index: int) -> Group:
    """Return one positive of ``example`` and up to ``size - 1`` of its negatives, drawn anew in every epoch.

    Where there are fewer negatives the group is smaller: repeating them would count them twice.
    """
    draw = np.random.default_rng((seed, epoch, index))
    positive = int(draw.integers(len(example.positives)))
    count = min(size - 1, len(example.negatives))
    negatives = [int(place) for place in draw.choice(len(example.negatives), count, replace=False)] if count else []
    teacher = None
    if example.positive_scores is not None and example.negative_scores is not None:
        teacher = (example.positive_scores[positive], *(example.negative_scores[place] for place in negatives))
    return Group(
        example.query,
        (example.positives[positive], *(example.negatives[place] for place in negatives)),
        (1.0, *(0.0 for _ in negatives)),
        teacher,
        answers_of(example),
    )


def answers_of(example: TrainExample) -> tuple[str, ...]:
    """Return the words that answer, where the example names any."""
    answers = example.provenance.get("answers", ())
    return tuple(map(str, answers)) if isinstance(answers, list | tuple) else ()


@dataclass(frozen=True, slots=True)
class Schedule:
    """The order of ``examples`` questions, ``step_groups`` a step.

    An epoch's last step begins the next epoch's order, so that every step has the same size.
    """

    examples: int
    step_groups: int
    seed: int

    @property
    def steps_an_epoch(self) -> float:
        """How many steps it takes to see every question once."""
        return self.examples / self.step_groups

    def places(self, step: int) -> list[tuple[int, int]]:
        """Return the epoch and the index of each example of ``step``, counted from 0."""
        first = step * self.step_groups
        return [self._place(number) for number in range(first, first + self.step_groups)]

    def _place(self, number: int) -> tuple[int, int]:
        epoch, position = divmod(number, self.examples)
        return epoch, int(_order(self.examples, self.seed, epoch)[position])


@lru_cache(maxsize=4)
def _order(examples: int, seed: int, epoch: int) -> npt.NDArray[np.int64]:
    """Return the order of an epoch, int64 [examples]."""
    return np.random.default_rng((seed, epoch)).permutation(examples)


def step_groups(examples: Sequence[TrainExample], schedule: Schedule, step: int, size: int) -> list[Group]:
    """Return the groups of ``step``."""
    return [make_group(examples[index], size, schedule.seed, epoch, index) for epoch, index in schedule.places(step)]


def share_of(groups: Sequence[Group], process: int, processes: int) -> list[Group]:
    """Return the groups of ``process`` of ``processes``: about as much text for each, so that none waits for another.

    The longest are dealt first, to and fro, and all get the same number where it divides.

    >>> groups = [Group("q", (text,), (1.0,)) for text in ("a" * 9, "b", "c" * 8, "d" * 2)]
    >>> [[group.passages[0][0] for group in share_of(groups, process, 2)] for process in (0, 1)]
    [['a', 'b'], ['c', 'd']]
    """
    longest_first = sorted(groups, key=lambda group: -sum(map(len, group.passages)))
    return [
        group
        for place, group in enumerate(longest_first)
        if process == (place % processes if place // processes % 2 == 0 else processes - 1 - place % processes)
    ]
