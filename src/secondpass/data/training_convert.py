"""From one form of training data to another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from secondpass.data.passages import BadLine
from secondpass.data.training import TrainExample
from secondpass.data.training_forms import FOLDER_FORMS, FormName
from secondpass.data.training_groups import grouped
from secondpass.data.training_read import Examples
from secondpass.data.training_write import WriteReport, write_examples
from secondpass.data.work_progress import Progress, no_progress


def convert(
    source: Examples,
    target: str | Path,
    form: FormName,
    problems: list[BadLine],
    group: bool | None = None,
    negatives: int | None = None,
    progress: Progress = no_progress,
) -> WriteReport:
    """Write the examples of ``source`` to ``target`` in ``form``; lines that cannot be used are added to ``problems``.

    ``group`` brings rows of one question together (None: where a file of pairs becomes something else, and where a
    collection is written). With ``negatives`` every row gets exactly so many.

    Raises:
        InputError: the place cannot be written; what stood there before stays.
    """
    notes: Counter[str] = Counter()
    examples = _heard(usable(source, problems), progress)
    if group or (group is None and needs_grouping(source.form, form)):
        examples = grouped(examples, notes)
    report = write_examples(target, form, examples, negatives)
    return replace(report, notes={**{what: count for what, count in notes.items() if count}, **report.notes})


def needs_grouping(source: FormName, target: FormName) -> bool:
    """Tell whether rows must be brought together: a pair is no example, a question stands once in a collection."""
    return (source == "pairs" and target != "pairs") or (target in FOLDER_FORMS and source not in FOLDER_FORMS)


def _heard(examples: Iterable[TrainExample], progress: Progress) -> Iterator[TrainExample]:
    for done, example in enumerate(examples, start=1):
        progress("rows", done, None)
        yield example


def usable(examples: Iterable[TrainExample | BadLine], problems: list[BadLine]) -> Iterator[TrainExample]:
    """Yield the examples, and put the lines that are none into ``problems``."""
    for example in examples:
        if isinstance(example, BadLine):
            problems.append(example)
        else:
            yield example
