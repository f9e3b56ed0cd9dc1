"""Part training data into a training and a development set between which nothing leaks.

Rows that share a question (in any writing), and by document also those that share a right passage, hang together: they
all go to one side. What hangs together is found by union-find over hashes, in one pass; texts are not kept.
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
from secondpass.data.passages import BadLine
from secondpass.data.training import TrainExample
from secondpass.data.training_convert import usable
from secondpass.data.training_forms import FOLDER_FORMS
from secondpass.data.training_read import Examples
from secondpass.data.training_texts import text_key
from secondpass.data.training_write import write_examples
from secondpass.errors import InputError

By = Literal["query", "document"]


@dataclass(frozen=True, slots=True)
class SplitReport:
    """How a split came out: rows of both sides, groups of rows that hang together, and the largest of them.

    ``wanted`` is the share that was asked for the development set, ``dev_share`` the one it has.
    """

    train_path: str
    dev_path: str
    by: By
    train_rows: int
    dev_rows: int
    groups: int
    largest_group: int
    wanted: float

    @property
    def dev_share(self) -> float:
        """The development set's share of the rows."""
        return self.dev_rows / (self.train_rows + self.dev_rows)


@dataclass(frozen=True, slots=True, eq=False)
class SplitPlan:
    """Which rows go to the development set, bool [N], and the sizes of the groups, largest first."""

    dev: npt.NDArray[np.bool_]
    group_sizes: tuple[int, ...]


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
            self._join(row, self._first_with.setdefault(one, row))

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

    def _join(self, first: int, second: int) -> None:
        roots = sorted((self.root(first), self.root(second)))
        self._parents[roots[1]] = roots[0]


def plan_split(examples: Iterable[TrainExample], share: float, by: By, seed: int) -> SplitPlan:
    """Decide which rows go to the development set.

    Groups are taken in an order that ``seed`` and their questions decide, so that rows added later change little; one
    that is larger than what is still wanted is left to training.

    Raises:
        InputError: the share is none, or there is nothing that could be the development set.
    """
    if not 0 < share < 1:
        raise InputError(f"The development set's share is {share}; it must lie between 0 and 1, such as 0.1.")
    joined = _Joined()
    for example in examples:
        joined.add(text_key(example.query), _shared(example, by))
    groups = joined.groups()
    rows = len(joined.keys)
    if not rows:
        raise InputError("There is no example to part.")
    wanted = max(1, round(share * rows))
    dev, taken = np.zeros(rows, bool), 0
    for group in sorted(groups, key=lambda group: _lot(seed, min(joined.keys[row] for row in group))):
        if taken + len(group) <= wanted and len(group) < rows:
            dev[group] = True
            taken += len(group)
    sizes = sorted((len(group) for group in groups), reverse=True)
    if not taken:
        other = ", or part by query alone" if by == "document" else ""
        raise InputError(
            f"{sizes[0]:,} of {rows:,} rows hang together by what they share, and no group is small enough for a "
            f"development set of {wanted:,} rows; ask for a larger share{other}."
        )
    return SplitPlan(dev, tuple(sizes))


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
    examples: Examples, targets: tuple[Path, Path], share: float, by: By, seed: int, problems: list[BadLine]
) -> SplitReport:
    """Write the two sides of ``examples`` to ``targets`` (training, development), in their own form.

    A collection is parted by its judgements: the targets become qrels in BEIR's form.

    Raises:
        InputError: nothing can be parted, or a place cannot be written.
    """
    plan = plan_split(usable(examples, problems), share, by, seed)
    for target, wanted in zip(targets, (False, True), strict=True):
        side = _side(usable(examples, []), plan, dev=wanted)
        if examples.form in FOLDER_FORMS:
            _write_qrels(target, side)
        else:
            write_examples(target, examples.form, side)
    dev_rows = int(plan.dev.sum())
    return SplitReport(
        str(targets[0]),
        str(targets[1]),
        by,
        len(plan.dev) - dev_rows,
        dev_rows,
        len(plan.group_sizes),
        plan.group_sizes[0],
        share,
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
