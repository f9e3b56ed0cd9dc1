"""The forms in which training data is written, and how one is told from another by its keys.

=============  =================================================================================================
``flag``       FlagEmbedding: ``{"query", "pos": [...], "neg": [...], "pos_scores"?, "neg_scores"?, "prompt"?}``
``triplets``   sentence-transformers: ``{"query" or "anchor", "positive", "negative" or "negative_1", ...}``
``pairs``      ``{"query" or "sentence1", "passage", "sentence2" or "text", "label" or "score"}``
``lists``      ``{"query", "docs" or "passages": [...], "labels": [...]}``
``messages``   ms-swift: ``{"messages", "positive_messages", "negative_messages"}``
``beir``       a folder: corpus.jsonl, queries.jsonl, qrels
``trec``       the same with qrels and a run in TREC's form
=============  =================================================================================================
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from secondpass.errors import InputError

FormName = Literal["flag", "triplets", "pairs", "lists", "messages", "beir", "trec"]
LINE_FORMS: tuple[FormName, ...] = ("flag", "triplets", "pairs", "lists", "messages")
FOLDER_FORMS: tuple[FormName, ...] = ("beir", "trec")
_NUMBERED = re.compile(r"negative_(\d+)")
_ANYWHERE = ("id", "provenance", "prompt", "answers")
"""Keys that every form of lines may have; ``answers``: the words of a positive that answer the question."""


@dataclass(frozen=True, slots=True)
class Form:
    """One form of lines: its keys with the spellings each has, and the keys by which it is known.

    ``shape`` shows a line. ``required`` names the keys that every line has.
    """

    name: FormName
    shape: str
    spellings: Mapping[str, tuple[str, ...]]
    known_by: tuple[str, ...]
    required: tuple[str, ...]

    def key_of(self, spelling: str) -> str | None:
        """Return the key that ``spelling`` means, None for none."""
        if self.name == "triplets" and _NUMBERED.fullmatch(spelling):
            return spelling
        return next((key for key, spellings in self.spellings.items() if spelling in spellings), None)

    @property
    def all_spellings(self) -> list[str]:
        """Every spelling that is understood."""
        return [spelling for spellings in self.spellings.values() for spelling in spellings]


def _form(name: FormName, shape: str, known_by: str, required: str, spellings: Mapping[str, tuple[str, ...]]) -> Form:
    anywhere = {key: (key,) for key in _ANYWHERE}
    return Form(name, shape, {**anywhere, **spellings}, tuple(known_by.split()), tuple(required.split()))


FORMS: dict[FormName, Form] = {
    form.name: form
    for form in (
        _form(
            "flag",
            '{"query": "...", "pos": ["...", ...], "neg": ["...", ...], "pos_scores"?: [1.5, ...], '
            '"neg_scores"?: [...], "prompt"?: "..."}',
            "pos neg",
            "query pos",
            {
                "query": ("query",),
                "pos": ("pos", "relevant_passages"),
                "neg": ("neg", "hard_negatives"),
                "pos_scores": ("pos_scores",),
                "neg_scores": ("neg_scores",),
                "pos_id": ("pos_id", "pos_ids"),
                "neg_id": ("neg_id", "neg_ids"),
                "type": ("type",),
            },
        ),
        _form(
            "triplets",
            '{"query" or "anchor": "...", "positive": "...", "negative"?: "...", "negative_1"?: "...", ..., '
            '"scores"?: [1.5, ...]}',
            "positive",
            "query positive",
            {
                "query": ("query", "anchor"),
                "positive": ("positive",),
                "negative": ("negative",),
                "scores": ("scores", "score", "labels", "label"),
            },
        ),
        _form(
            "lists",
            '{"query": "...", "docs" or "passages": ["...", ...], "labels": [1, 0, ...], "scores"?: [1.5, ...]}',
            "docs",
            "query docs labels",
            {
                "query": ("query",),
                "docs": ("docs", "passages", "documents"),
                "labels": ("labels", "label"),
                "scores": ("scores",),
            },
        ),
        _form(
            "messages",
            '{"messages": [{"role": "user", "content": "..."}], '
            '"positive_messages": [[{"role": "assistant", "content": "..."}], ...], "negative_messages"?: [...]}',
            "messages positive_messages negative_messages",
            "messages positive_messages",
            {key: (key,) for key in ("messages", "positive_messages", "negative_messages")},
        ),
        _form(
            "pairs",
            '{"query" or "sentence1": "...", "passage", "sentence2" or "text": "...", "label" or "score": 1}',
            "passage",
            "query passage label",
            {
                "query": ("query", "sentence1"),
                "passage": ("passage", "sentence2", "text", "document"),
                "label": ("label",),
                "score": ("score",),
            },
        ),
    )
}


def detect_form(records: Sequence[tuple[int, Mapping[str, Any]]], path: str) -> Form:
    """Return the form of the first lines, ``(line number, record)``; the first line decides.

    Raises:
        InputError: its keys are those of no form; the message names the nearest key that means something.
    """
    number, record = records[0]
    for form in FORMS.values():
        keys = {form.key_of(spelling) for spelling in record}
        if keys & set(form.known_by):
            return form
    accepted = "; ".join(f"{form.name}: {form.shape}" for form in FORMS.values())
    raise InputError(
        f"{path}:{number}: the keys {_listed(record)} are those of no form of training data"
        f"{_hint(record, (spelling for form in FORMS.values() for spelling in form.all_spellings))}. "
        f"Accepted are {accepted}. Columns of other names are named by --column KEY=COLUMN."
    )


def canonical(record: Mapping[str, Any], form: Form, ignored: Iterable[str], place: str) -> dict[str, Any]:
    """Return a record under the keys of its form; what is null counts as not there.

    Raises:
        InputError: a key means nothing in this form, two spell the same, or one that every line has is not there.
    """
    check_keys(record, form, ignored, place)
    known: dict[str, Any] = {}
    spelled: dict[str, str] = {}
    for spelling, value in record.items():
        key = form.key_of(spelling)
        if key is None or value is None:
            continue
        if key in known:
            raise InputError(f"{place}: {spelled[key]!r} and {spelling!r} mean the same; keep one of them.")
        known[key], spelled[key] = value, spelling
    missing = [key for key in form.required if key not in known and not (key == "label" and "score" in known)]
    if missing:
        wanted = " or ".join(f'"{spelling}"' for spelling in form.spellings[missing[0]])
        raise InputError(f"{place}: there is no {wanted}; accepted is {form.shape}.")
    return known


def check_keys(record: Mapping[str, Any], form: Form, ignored: Iterable[str], place: str) -> None:
    """Refuse a record with a key that means nothing in its form.

    Raises:
        InputError: the message names the key, and the nearest one that means something.
    """
    for spelling in record:
        if form.key_of(spelling) is None and spelling not in ignored:
            raise InputError(_unknown(spelling, record, form, place))


def numbered_negatives(record: Mapping[str, Any]) -> list[str]:
    """Return the keys of a triplet's negatives, in their order.

    >>> numbered_negatives({"negative_10": "", "negative_2": "", "negative": "", "query": ""})
    ['negative', 'negative_2', 'negative_10']
    """
    numbers = {key: int(match[1]) for key in record if (match := _NUMBERED.fullmatch(key))}
    return [*(["negative"] if "negative" in record else []), *sorted(numbers, key=lambda key: numbers[key])]


def _unknown(spelling: str, record: Mapping[str, Any], form: Form, place: str) -> str:
    other = next(
        (
            other.name
            for other in FORMS.values()
            if other is not form
            and other.key_of(spelling)
            and {other.key_of(key) for key in record} & set(other.known_by)
        ),
        None,
    )
    mixed = f"; this line is of the form {other}, the file began as {form.name}" if other else ""
    said = mixed or _hint([spelling], _near_spellings(form, spelling))
    return (
        f"{place}: the key {spelling!r} means nothing in the form {form.name}{said}. Accepted is {form.shape}; "
        f"what is to be left out is named by --ignore {spelling}."
    )


def _near_spellings(form: Form, spelling: str) -> list[str]:
    """Return what a key may have been meant to be; negatives of triplets are numbered."""
    numbers = re.findall(r"\d+", spelling) if form.name == "triplets" else []
    return [*(f"negative_{number}" for number in numbers), *form.all_spellings]


def _hint(found: Iterable[str], accepted: Iterable[str]) -> str:
    choices = list(accepted)
    for spelling in found:
        if spelling in choices:
            continue
        if near := difflib.get_close_matches(spelling.lower(), choices, n=1, cutoff=0.7):
            return f" (did you mean {near[0]!r} for {spelling!r}?)"
    return ""


def _listed(record: Iterable[str]) -> str:
    keys = [f'"{key}"' for key in record]
    return ", ".join(keys[:8]) + (", ..." if len(keys) > 8 else "") if keys else "(none)"
