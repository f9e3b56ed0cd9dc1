"""Write training data in any form; what a form cannot hold is counted."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from secondpass.data.lines import STREAM, write_whole
from secondpass.data.training import TrainExample
from secondpass.data.training_folder_write import write_folder
from secondpass.data.training_forms import FOLDER_FORMS, FormName
from secondpass.data.training_losses import can_hold, note_lost
from secondpass.data.training_rows import table_delimiter
from secondpass.errors import InputError
from secondpass.types import Json

_FLAG_KEYS = {"id": "id", "type": "type", "positive_ids": "pos_id", "negative_ids": "neg_id"}


@dataclass(frozen=True, slots=True)
class WriteReport:
    """What was written: ``rows`` of ``examples``; ``notes`` counts what the form could not hold or had to change."""

    path: str
    form: FormName
    examples: int
    rows: int
    notes: Mapping[str, int]


def write_examples(
    path: str | Path, form: FormName, examples: Iterable[TrainExample], negatives: int | None = None
) -> WriteReport:
    """Write ``examples`` in ``form`` to ``path`` (``-`` = standard output); all of them, or the file stays as it was.

    With ``negatives``, every row gets exactly so many: more are cut off, examples with fewer are left out.

    Raises:
        InputError: the place cannot be written.
    """
    path, notes, counted = str(path), Counter[str](), Counter[str]()
    kept = _numbered(_with_negatives(examples, negatives, notes), counted)
    if form in FOLDER_FORMS:
        rows = write_folder(Path(path), form, kept, notes)
        return WriteReport(path, form, counted["examples"], rows, _only_found(notes))
    if path != STREAM and (path.endswith(".gz") or table_delimiter(path)):
        raise InputError(f"{path}: training data is written as JSON lines, plain; give it a name such as out.jsonl.")
    rows = 0
    widths: set[int] = set()
    with write_whole(path) as output:
        for example in kept:
            for record in records_of(example, form, notes):
                output.write(json.dumps(record, ensure_ascii=False) + "\n")
                rows += 1
                widths.add(len(example.negatives))
    if form == "triplets" and len(widths) > 1:
        notes[
            f"rows have between {min(widths)} and {max(widths)} negatives; sentence-transformers wants equal numbers"
        ] = rows
    return WriteReport(path, form, counted["examples"], rows, _only_found(notes))


def records_of(example: TrainExample, form: FormName, notes: Counter[str]) -> Iterator[dict[str, Any]]:
    """Yield the lines of an example in a form of lines, and count in ``notes`` what is lost."""
    note_lost(example, form, notes)
    if can_hold(example, form):
        yield from _WRITERS[form](example)


def _numbered(examples: Iterable[TrainExample], counted: Counter[str]) -> Iterator[TrainExample]:
    for example in examples:
        counted["examples"] += 1
        yield example


def _with_negatives(
    examples: Iterable[TrainExample], negatives: int | None, notes: Counter[str]
) -> Iterator[TrainExample]:
    for example in examples:
        if negatives is None:
            yield example
        elif len(example.negatives) < negatives:
            notes[f"examples with fewer than {negatives} negatives, left out"] += 1
        else:
            notes["negatives beyond the number asked for, cut off"] += len(example.negatives) - negatives
            yield first_negatives(example, negatives)


def first_negatives(example: TrainExample, count: int) -> TrainExample:
    """Return an example with its first ``count`` negatives."""
    return with_negatives_at(example, range(min(count, len(example.negatives))))


def with_negatives_at(example: TrainExample, places: Iterable[int]) -> TrainExample:
    """Return an example with the negatives at ``places``, with their scores and what is known of them."""
    chosen, scores = list(places), example.negative_scores
    return replace(
        example,
        negatives=tuple(example.negatives[place] for place in chosen),
        negative_scores=None if scores is None else tuple(scores[place] for place in chosen),
        provenance=_chosen(example, ("negatives", "negative_ids"), len(example.negatives), chosen),
    )


def with_positives_at(example: TrainExample, places: Iterable[int]) -> TrainExample:
    """Return an example with the positives at ``places``, with their scores and ids."""
    chosen, scores = list(places), example.positive_scores
    return replace(
        example,
        positives=tuple(example.positives[place] for place in chosen),
        positive_scores=None if scores is None else tuple(scores[place] for place in chosen),
        provenance=_chosen(example, ("positive_ids",), len(example.positives), chosen),
    )


def _chosen(example: TrainExample, keys: Sequence[str], count: int, places: Sequence[int]) -> dict[str, Json]:
    """Return the provenance with the lists under ``keys`` cut to ``places``."""
    return {
        key: [value[place] for place in places]
        if key in keys and isinstance(value, list | tuple) and len(value) == count
        else value
        for key, value in example.provenance.items()
    }


def _flag(example: TrainExample) -> Iterator[dict[str, Any]]:
    record: dict[str, Any] = {"query": example.query, "pos": list(example.positives), "neg": list(example.negatives)}
    if example.positive_scores is not None:
        record["pos_scores"] = list(example.positive_scores)
    if example.negative_scores is not None:
        record["neg_scores"] = list(example.negative_scores)
    if example.prompt is not None:
        record["prompt"] = example.prompt
    record |= {theirs: example.provenance[ours] for ours, theirs in _FLAG_KEYS.items() if ours in example.provenance}
    rest = {key: value for key, value in example.provenance.items() if key not in _FLAG_KEYS}
    if rest:
        record["provenance"] = rest
    yield record


def _triplets(example: TrainExample) -> Iterator[dict[str, Any]]:
    graded = "scores_are" in example.provenance
    for place, positive in enumerate(example.positives):
        record: dict[str, Any] = {"query": example.query, "positive": positive}
        if len(example.negatives) == 1:
            record["negative"] = example.negatives[0]
        else:
            record |= {f"negative_{number}": text for number, text in enumerate(example.negatives, start=1)}
        if example.positive_scores is not None and not graded:
            record["scores"] = [example.positive_scores[place], *(example.negative_scores or ())]
        yield record


def _pairs(example: TrainExample) -> Iterator[dict[str, Any]]:
    for passage, label, score in _labelled(example):
        record: dict[str, Any] = {"query": example.query, "passage": passage, "label": label}
        yield record if score is None else {**record, "score": score}


def _lists(example: TrainExample) -> Iterator[dict[str, Any]]:
    labelled = list(_labelled(example))
    record: dict[str, Any] = {
        "query": example.query,
        "docs": [passage for passage, _, _ in labelled],
        "labels": [label for _, label, _ in labelled],
    }
    scores = [score for _, _, score in labelled if score is not None]
    yield {**record, "scores": scores} if scores else record


def _labelled(example: TrainExample) -> Iterator[tuple[str, float | int, float | None]]:
    """Yield each passage with its label, and the score that a teacher gave it."""
    graded = "scores_are" in example.provenance
    for texts, scores, label in (
        (example.positives, example.positive_scores, 1),
        (example.negatives, example.negative_scores, 0),
    ):
        for place, text in enumerate(texts):
            given = scores[place] if scores is not None else None
            if graded and given is not None:
                yield text, int(given) if given.is_integer() else given, None
            else:
                yield text, label, given


def _messages(example: TrainExample) -> Iterator[dict[str, Any]]:
    system = [] if example.prompt is None else [{"role": "system", "content": example.prompt}]
    yield {
        "messages": [*system, {"role": "user", "content": example.query}],
        "positive_messages": [[{"role": "assistant", "content": text}] for text in example.positives],
        "negative_messages": [[{"role": "assistant", "content": text}] for text in example.negatives],
    }


def _only_found(notes: Counter[str]) -> dict[str, int]:
    return {what: count for what, count in notes.items() if count}


_WRITERS: Mapping[str, Callable[[TrainExample], Iterator[dict[str, Any]]]] = {
    "flag": _flag,
    "triplets": _triplets,
    "pairs": _pairs,
    "lists": _lists,
    "messages": _messages,
}
