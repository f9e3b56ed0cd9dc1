"""Part training data into a training and a development set between which nothing leaks.

Rows that share a question (in any writing, or nearly), and by document also those that share a right passage, hang
together: they all go to one side. What hangs together is found by union-find over hashes; texts are not kept.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from secondpass.data.lines import write_whole
from secondpass.data.near_questions import NearQuestions
from secondpass.data.passages import BadLine
from secondpass.data.training import TrainExample
from secondpass.data.training_convert import usable
from secondpass.data.training_forms import FOLDER_FORMS
from secondpass.data.training_read import Examples
from secondpass.data.training_texts import text_key
from secondpass.data.training_write import write_examples
from secondpass.data.work_progress import Progress, heard, no_progress
from secondpass.errors import InputError

By = Literal["query", "document"]


@dataclass(frozen=True, slots=True)
class SplitOptions:
    """How data are parted.

    ``share``: the development set's of the rows. ``by``: what may not stand on both sides. ``near``: the share of their
    runs that two questions have in common which count as one (1: all of them).
    """

    share: float = 0.1
    by: By = "document"
    near: float = 0.8
    seed: int = 13


@dataclass(frozen=True, slots=True)
class SplitReport:
    """How a split came out: rows of both sides, groups of rows that hang together, and the largest of them.

    ``near``: questions that nearly are another one, and went where it did. ``wanted`` is the share that was asked for
    the development set, ``dev_share`` the one it has.
    """

    train_path: str
    dev_path: str
    by: By
    train_rows: int
    dev_rows: int
    groups: int
    largest_group: int
    near: int
    wanted: float

    @property
    def dev_share(self) -> float:
        """The development set's share of the rows."""
        return self.dev_rows / (self.train_rows + self.dev_rows)


@dataclass(frozen=True, slots=True, eq=False)
class SplitPlan:
    """Which rows go to the development set, bool [N], and the sizes of the groups, largest first.

    ``near``: questions that were joined with another one because they are near.
    """

    dev: npt.NDArray[np.bool_]
    group_sizes: tuple[int, ...]
    near: int


class _Joined:
    """Union-find over rows, joined by the keys that they share."""

    def __init__(self) -> None:
        self._parents: list[int] = []
        self._first_with: dict[object, int] = {}
        self.keys: list[int] = []

    def add(self, key: int, shared: Iterable[object]) -> None:
        """Add a row, named by ``key``, and join it with those that have one of ``shared``."""
        row = len(self._parents)
        self._parents.append(row)
        self.keys.append(key)
        for one in shared:
            self.join(row, self._first_with.setdefault(one, row))

    def root(self, row: int) -> int:
        """Return the row that stands for all that ``row`` hangs together with."""
        while self._parents[row] != row:
            self._parents[row] = self._parents[self._parents[row]]
            row = self._parents[row]
        return row

    def groups(self) -> list[list[int]]:
        """Return the rows of each group."""
        found: defaultdict[int, list[int]] = defaultdict(list)
        for row in range(len(self._parents)):
            found[self.root(row)].append(row)
        return list(found.values())

    def join(self, first: int, second: int) -> None:
        """Let two rows hang together."""
        roots = sorted((self.root(first), self.root(second)))
        self._parents[roots[1]] = roots[0]


def plan_split(examples: Iterable[TrainExample], options: SplitOptions, progress: Progress = no_progress) -> SplitPlan:
    """Decide which rows go to the development set.

    Groups are taken in an order that the seed and their questions decide, so that rows added later change little; one
    that is larger than what is still wanted is left to training.

    Raises:
        InputError: the share is none, or there is nothing that could be the development set.
    """
    if not 0 < options.share < 1:
        raise InputError(f"The development set's share is {options.share}; it must lie between 0 and 1, such as 0.1.")
    joined, near = _joined(examples, options, progress)
    groups = joined.groups()
    rows = len(joined.keys)
    if not rows:
        raise InputError("There is no example to part.")
    wanted = max(1, round(options.share * rows))
    dev, taken = np.zeros(rows, bool), 0
    for group in sorted(groups, key=lambda group: _lot(options.seed, min(joined.keys[row] for row in group))):
        if taken + len(group) <= wanted and len(group) < rows:
            dev[group] = True
            taken += len(group)
    sizes = sorted((len(group) for group in groups), reverse=True)
    if not taken:
        other = ", or part by query alone" if options.by == "document" else ""
        other += f", or a nearness of questions above {options.near:g} (--near)" if near else ""
        raise InputError(
            f"{sizes[0]:,} of {rows:,} rows hang together by what they share, and no group is small enough for a "
            f"development set of {wanted:,} rows; ask for a larger share{other}."
        )
    return SplitPlan(dev, tuple(sizes), near)


def _joined(examples: Iterable[TrainExample], options: SplitOptions, progress: Progress) -> tuple[_Joined, int]:
    """Return the rows with what they hang together by, and how many near questions were joined."""
    joined, questions = _Joined(), NearQuestions(options.near)
    rows: dict[int, int] = {}
    for row, example in enumerate(heard(examples, "rows read", progress)):
        key = text_key(example.query)
        joined.add(key, _shared(example, options.by))
        if key not in rows:
            rows[key] = row
            questions.add(example.query)
    row_of = list(rows.values())

    def is_joined(first: int, second: int) -> bool:
        return joined.root(row_of[first]) == joined.root(row_of[second])

    near = 0
    for first, second in questions.pairs(is_joined, progress):
        joined.join(row_of[first], row_of[second])
        near += 1
    return joined, near


def _shared(example: TrainExample, by: By) -> Iterator[object]:
    yield text_key(example.query)
    if by == "document":
        ids = example.provenance.get("positive_ids")
        known: Sequence[object] = ids if isinstance(ids, list | tuple) else ()
        for number, text in enumerate(example.positives):
            yield "passage", text_key(text)
            if number < len(known):
                yield "id", str(known[number])


def _lot(seed: int, key: int) -> bytes:
    return blake2b(f"{seed} {key}".encode(), digest_size=8).digest()


def split_examples(
    examples: Examples,
    targets: tuple[Path, Path],
    options: SplitOptions,
    problems: list[BadLine],
    progress: Progress = no_progress,
) -> SplitReport:
    """Write the two sides of ``examples`` to ``targets`` (training, development), in their own form.

    A collection is parted by its judgements: the targets become qrels in BEIR's form.

    Raises:
        InputError: nothing can be parted, or a place cannot be written.
    """
    plan = plan_split(usable(examples, problems), options, progress)
    for target, what, wanted in zip(targets, ("training", "development"), (False, True), strict=True):
        side = heard(_side(usable(examples, []), plan, dev=wanted), f"rows for {what} written", progress)
        if examples.form in FOLDER_FORMS:
            _write_qrels(target, side)
        else:
            write_examples(target, examples.form, side)
    dev_rows = int(plan.dev.sum())
    return SplitReport(
        train_path=str(targets[0]),
        dev_path=str(targets[1]),
        by=options.by,
        train_rows=len(plan.dev) - dev_rows,
        dev_rows=dev_rows,
        groups=len(plan.group_sizes),
        largest_group=plan.group_sizes[0],
        near=plan.near,
        wanted=options.share,
    )


def _side(examples: Iterable[TrainExample], plan: SplitPlan, dev: bool) -> Iterator[TrainExample]:
    for example, is_dev in zip(examples, plan.dev, strict=True):
        if is_dev == dev:
            yield example


def _write_qrels(target: Path, examples: Iterable[TrainExample]) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with write_whole(str(target)) as output:
        output.write("query-id\tcorpus-id\tscore\n")
        for example in examples:
            ids = example.provenance["positive_ids"]
            assert isinstance(ids, list)
            for place, doc_id in enumerate(ids):
                grade = int(example.positive_scores[place]) if example.positive_scores else 1
                output.write(f"{example.provenance['id']}\t{doc_id}\t{grade}\n")
