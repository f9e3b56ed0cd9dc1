"""One record of a training file, under the keys of its form, to a `TrainExample`."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from secondpass.data.training import TrainExample
from secondpass.data.training_forms import Form, FormName, numbered_negatives
from secondpass.errors import InputError
from secondpass.types import Json

SCORES_ARE_LABELS = {"scores_are": "labels"}
"""Provenance of an example whose scores are the grades of its file, not a teacher's."""
_SURROGATE = re.compile("[\ud800-\udfff]")
_NAMES = {"str": "a text", "int": "a number", "float": "a number", "bool": "true or false", "list": "a list",
          "dict": "an object", "NoneType": "null"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fields:
    """Takes values out of a record; what is wrong with one is said with its place and with what is accepted."""

    record: Mapping[str, Any]
    form: Form
    place: str
    positive_from: float = 0.5

    def wrong(self, key: str, found: str, wanted: str) -> InputError:
        """Say that ``key`` is ``found`` and ``wanted`` is accepted."""
        return InputError(f'{self.place}: "{key}" is {found}; accepted is {wanted}: {self.form.shape}.')

    def text(self, key: str) -> str:
        """Return a text."""
        value = self.record[key]
        self._check_text(key, value, "")
        assert isinstance(value, str)
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of texts; a key that is not there is an empty list."""
        value = self.record.get(key, [])
        if not isinstance(value, list):
            raise self.wrong(key, named(value), "a list of texts")
        for number, text in enumerate(value, start=1):
            self._check_text(key, text, f"a list whose item {number} is ")
        return tuple(value)

    def _check_text(self, key: str, value: object, within: str) -> None:
        if not isinstance(value, str):
            raise self.wrong(key, within + named(value), "a list of texts" if within else "a text")
        if not value.isascii() and _SURROGATE.search(value):
            raise self.wrong(key, f"{within}a text with half a surrogate pair", "text that UTF-8 can write")

    def some_texts(self, key: str) -> tuple[str, ...]:
        """Return a list of texts that has any."""
        texts = self.texts(key)
        if not texts:
            raise self.wrong(key, "an empty list", "a list of at least one text")
        return texts

    def number(self, key: str) -> float:
        """Return a finite number; in a table numbers are written."""
        return self._number(key, self.record[key], "")

    def numbers(self, key: str, count: int, of: str) -> tuple[float, ...] | None:
        """Return as many numbers as there are of ``of``; None where the key is not there."""
        value = self.record.get(key)
        if value is None:
            return None
        if not isinstance(value, list):
            raise self.wrong(key, named(value), "a list of numbers")
        if len(value) != count:
            raise self.wrong(key, f"a list of {len(value)} numbers", f"one number for each of the {count} {of}")
        return tuple(self._number(key, one, f"a list whose item {place} is ") for place, one in enumerate(value, 1))

    def _number(self, key: str, value: object, within: str) -> float:
        if isinstance(value, str):
            written = value
            try:
                value = float(written)
            except ValueError:
                raise self.wrong(key, f"{within}{written[:40]!r}", "a finite number") from None
        if isinstance(value, bool):
            value = int(value)
        if not isinstance(value, int | float) or not math.isfinite(value):
            found = named(value) if not isinstance(value, float) else str(value)
            raise self.wrong(key, f"{within}{found}", "a finite number")
        return float(value)


def named(value: object) -> str:
    """Return what a JSON value is, in words."""
    return _NAMES.get(type(value).__name__, type(value).__name__)


def parse_example(record: Mapping[str, Any], form: Form, place: str, positive_from: float) -> TrainExample:
    """Return the example of a record that `canonical` made; a label of ``positive_from`` or more is a positive.

    Raises:
        InputError: a value is of the wrong kind; the message says where, what was found and what is accepted.
    """
    return _PARSERS[form.name](Fields(record, form, place, positive_from))


def _flag(fields: Fields) -> TrainExample:
    positives, negatives = fields.some_texts("pos"), fields.texts("neg")
    provenance: dict[str, Json] = {}
    for key, meaning, count in (
        ("pos_id", "positive_ids", len(positives)),
        ("neg_id", "negative_ids", len(negatives)),
    ):
        if key in fields.record:
            provenance[meaning] = _ids(fields, key, count)
    if "type" in fields.record:
        provenance["type"] = fields.text("type")
    scores = (
        fields.numbers("pos_scores", len(positives), "positives"),
        fields.numbers("neg_scores", len(negatives), "negatives"),
    )
    if (scores[0] is None) != (scores[1] is None) and negatives:
        there, gone = ("pos_scores", "neg_scores") if scores[1] is None else ("neg_scores", "pos_scores")
        raise fields.wrong(there, f"there and {gone} is not", "both or neither")
    return _example(fields, positives, negatives, scores, provenance)


def _ids(fields: Fields, key: str, count: int) -> list[str]:
    value = fields.record[key]
    listed = value if isinstance(value, list) else [value]
    if len(listed) != count or not all(isinstance(one, str | int) for one in listed):
        raise fields.wrong(key, f"a list of {len(listed)}", f"one id for each of the {count} texts")
    return [str(one) for one in listed]


def _triplet(fields: Fields) -> TrainExample:
    negatives = tuple(fields.text(key) for key in numbered_negatives(fields.record))
    scores = fields.numbers("scores", 1 + len(negatives), "passages, the positive first")
    parted = (scores[:1], scores[1:]) if scores else (None, None)
    return _example(fields, (fields.text("positive"),), negatives, parted)


def _pair(fields: Fields) -> TrainExample:
    label = fields.number("label" if "label" in fields.record else "score")
    scores = (fields.number("score"),) if {"label", "score"} <= fields.record.keys() else None
    return _labelled(fields, (fields.text("passage"),), (label,), scores)


def _list(fields: Fields) -> TrainExample:
    passages = fields.some_texts("docs")
    labels = fields.numbers("labels", len(passages), "passages")
    assert labels is not None
    return _labelled(fields, passages, labels, fields.numbers("scores", len(passages), "passages"))


def _labelled(
    fields: Fields,
    passages: Sequence[str],
    labels: Sequence[float],
    scores: Sequence[float] | None,
) -> TrainExample:
    """Part passages by their labels; labels other than 0 and 1 are kept as scores where there are no others."""
    graded = scores is None and not set(labels) <= {0.0, 1.0}
    kept = labels if graded else scores
    positive = [place for place, label in enumerate(labels) if label >= fields.positive_from]
    negative = [place for place, label in enumerate(labels) if label < fields.positive_from]
    parted = (None, None)
    return _example(
        fields,
        tuple(passages[place] for place in positive),
        tuple(passages[place] for place in negative),
        (tuple(kept[place] for place in positive), tuple(kept[place] for place in negative)) if kept else parted,
        SCORES_ARE_LABELS if graded else {},
    )


def _messages(fields: Fields) -> TrainExample:
    turns = _turns(fields, "messages", fields.record["messages"])
    system = [content for role, content in turns if role == "system"]
    asked = [content for role, content in turns if role != "system"]
    if len(asked) != 1 or len(system) > 1:
        found = f"a chat of {len(turns)} messages"
        raise fields.wrong("messages", found, "one message with the question, and perhaps a system message before it")
    positives, negatives = _chats(fields, "positive_messages"), _chats(fields, "negative_messages")
    if not positives:
        raise fields.wrong("positive_messages", "an empty list", "a list of at least one message")
    chat = {"query": asked[0], "prompt": system[0] if system else None}
    record = {**fields.record, **{key: value for key, value in chat.items() if value is not None}}
    return _example(Fields(record, fields.form, fields.place), positives, negatives)


def _turns(fields: Fields, key: str, value: object) -> list[tuple[str, str]]:
    """Return role and content of each message of a chat; a message alone is a chat of one."""
    chat = [value] if isinstance(value, dict) else value
    if not isinstance(chat, list):
        raise fields.wrong(key, named(value), "a list of messages")
    turns = []
    for message in chat:
        content = message.get("content") if isinstance(message, dict) else None
        if not isinstance(content, str):
            raise fields.wrong(key, f"a list with {named(message)} without text", "a list of messages with content")
        turns.append((str(message.get("role", "user")), content))
    return turns


def _chats(fields: Fields, key: str) -> tuple[str, ...]:
    value = fields.record.get(key, [])
    if not isinstance(value, list):
        raise fields.wrong(key, named(value), "a list of lists of messages")
    texts = []
    for chat in value:
        turns = _turns(fields, key, chat)
        if len(turns) != 1:
            raise fields.wrong(key, f"a list with a chat of {len(turns)} messages", "one message for each passage")
        texts.append(turns[0][1])
    return tuple(texts)


def _example(
    fields: Fields,
    positives: tuple[str, ...],
    negatives: tuple[str, ...],
    scores: tuple[tuple[float, ...] | None, tuple[float, ...] | None] = (None, None),
    provenance: Mapping[str, Json] | None = None,
) -> TrainExample:
    record = fields.record
    given = record.get("provenance", {})
    if not isinstance(given, dict):
        raise fields.wrong("provenance", named(given), "an object")
    known: dict[str, Json] = {**given, **(provenance or {})}
    if "id" in record:
        if not isinstance(record["id"], str | int) or isinstance(record["id"], bool):
            raise fields.wrong("id", named(record["id"]), "a text or a whole number")
        known["id"] = record["id"]
    if "answers" in record:
        known["answers"] = list(fields.texts("answers"))
    return TrainExample(
        query=fields.text("query"),
        positives=positives,
        negatives=negatives,
        positive_scores=scores[0],
        negative_scores=scores[1],
        prompt=fields.text("prompt") if "prompt" in record else None,
        place=fields.place,
        provenance=known,
    )


_PARSERS: Mapping[FormName, Callable[[Fields], TrainExample]] = {
    "flag": _flag,
    "triplets": _triplet,
    "lists": _list,
    "messages": _messages,
    "pairs": _pair,
}
