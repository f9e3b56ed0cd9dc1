"""Write a copy of training data without what a check found, and count what was left out and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from secondpass.data.check_repeats import near_positives, pair_key
from secondpass.data.passages import BadLine
from secondpass.data.training import TrainExample
from secondpass.data.training_check import Checked, CheckOptions, by_question
from secondpass.data.training_convert import usable
from secondpass.data.training_findings import SeenExample, seen
from secondpass.data.training_forms import FOLDER_FORMS
from secondpass.data.training_read import Examples
from secondpass.data.training_texts import has_letters
from secondpass.data.training_write import WriteReport, with_negatives_at, with_positives_at, write_examples


def clean(train: Examples, target: str | Path, checked: Checked, options: CheckOptions) -> WriteReport:
    """Write ``train`` without what `check` found to ``target``, in its own form (a collection: in FlagEmbedding's).

    The notes of the report say what was left out. What may be right is kept: negatives that a teacher doubts, long
    texts, texts in a wrong encoding, passages that the development set has too.

    Raises:
        InputError: the place cannot be written.
    """
    dropped: Counter[str] = Counter()
    problems: list[BadLine] = []
    found = usable(train, problems)
    kept = _cleaned(by_question(found) if train.form == "pairs" else found, checked, options, dropped)
    form = "flag" if train.form in FOLDER_FORMS else train.form
    report = write_examples(target, form, kept)
    if problems:
        dropped["lines that cannot be used"] = len(problems)
    left_out = {f"{what}, left out": count for what, count in dropped.items() if count}
    return replace(report, notes=left_out | dict(report.notes))


def _cleaned(
    examples: Iterable[TrainExample], checked: Checked, options: CheckOptions, dropped: Counter[str]
) -> Iterator[TrainExample]:
    for number, example in enumerate(examples, start=1):
        row = seen(example)
        if reason := _spoiled(row, checked):
            dropped[reason] += 1
            continue
        cleaned = _without_bad_texts(row, checked, options if number <= options.near_rows else None, dropped)
        if cleaned.positives:
            yield cleaned
        else:
            dropped["rows without a positive"] += 1


def _spoiled(row: SeenExample, checked: Checked) -> str:
    """Return why a row is left out, nothing where it is not."""
    if not row.example.query.strip():
        return "rows whose question is empty"
    if row.line in checked.leaking_lines:
        return "rows whose question the development set has too"
    return "rows that stand before already" if row.line in checked.repeated_lines else ""


def _without_bad_texts(
    row: SeenExample, checked: Checked, near: CheckOptions | None, dropped: Counter[str]
) -> TrainExample:
    example = row.example
    positives = [place for place, text in enumerate(example.positives) if has_letters(text)]
    dropped["positives without a letter"] += len(example.positives) - len(positives)
    nearly = set(near_positives(row, near.near)) if near else set()
    right, taken = set(row.positives), set[int]()
    negatives = []
    for place, (key, text) in enumerate(zip(row.negatives, example.negatives, strict=True)):
        if not has_letters(text):
            dropped["negatives without a letter"] += 1
        elif key in right or place in nearly:
            dropped["negatives that are a positive of their row"] += 1
        elif pair_key(row.query, key) in checked.conflicts:
            dropped["negatives that are a positive of their question in another row"] += 1
        elif key in taken:
            dropped["negatives that stand twice in their row"] += 1
        else:
            taken.add(key)
            negatives.append(place)
    return with_negatives_at(with_positives_at(example, positives), negatives)
