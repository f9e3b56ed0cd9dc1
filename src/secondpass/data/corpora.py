"""Passages and questions by their ids: BEIR's JSON lines, and ``id<TAB>text`` for questions."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from secondpass.data.lines import parse_object, read_lines
from secondpass.errors import InputError
from secondpass.types import Chunk

Titles = Literal["joined", "apart"]
"""Where a passage's title goes: before its text, as in BEIR's protocol (``title + " " + text``), or beside it."""


@dataclass(frozen=True, slots=True)
class Query:
    """A question of a collection; ``split`` is empty where the file names none, ``answers`` are short references."""

    id: str
    text: str
    split: str = ""
    answers: tuple[str, ...] = ()


def read_corpus(path: str, wanted: Collection[str] | None = None, titles: Titles = "apart") -> dict[str, Chunk]:
    """Return the passages of JSON lines with ``_id`` (or ``id``), ``text``, perhaps ``title``.

    The file is read line by line, and only the passages named in ``wanted`` (None: all) are kept.

    Raises:
        InputError: a line cannot be used, or two passages have one id.
    """
    corpus: dict[str, Chunk] = {}
    for number, line in read_lines(path):
        place = f"{path}:{number}"
        record = parse_object(line, place)
        doc_id = identity(record, place)
        if wanted is None or doc_id in wanted:
            keep(corpus, passage_of(doc_id, record, place, titles), place)
    return corpus


def keep(corpus: dict[str, Chunk], passage: Chunk, place: str) -> None:
    """Put a passage into ``corpus``; refuse another one under the same id, and pass over the same one."""
    known = corpus.setdefault(passage.id, passage)
    if known is not passage and known != passage:
        raise InputError(f"{place}: passage {passage.id!r} stands twice, with different texts; ids must be unique.")


def passage_of(doc_id: str, record: Mapping[str, Any], place: str, titles: Titles) -> Chunk:
    """Return the passage of a record with ``text`` and perhaps ``title``."""
    text = _text(record, place)
    title = record.get("title") or ""
    if not isinstance(title, str):
        raise InputError(f'{place}: "title" is a {type(title).__name__}; it must be a text.')
    if titles == "joined":
        text, title = f"{title} {text}".strip(), ""
    return Chunk(doc_id, text, doc_id, 0, len(text), title=title)


def read_queries(path: str) -> Iterator[Query]:
    """Yield the questions of JSON lines (``_id`` or ``id``, ``text``, perhaps ``split`` and ``answers``).

    Lines of ``id<TAB>text`` are accepted too.

    Raises:
        InputError: a line cannot be used, or two questions have one id.
    """
    seen: dict[str, int] = {}
    for number, line in read_lines(path):
        place = f"{path}:{number}"
        query = query_of(parse_object(line, place), place) if line.lstrip().startswith("{") else _of_tabs(line, place)
        if (first := seen.setdefault(query.id, number)) != number:
            raise InputError(f"{place}: question {query.id!r} stood in line {first} already; ids must be unique.")
        yield query


def read_questions(path: str) -> dict[str, str]:
    """Return ``{query_id: text}`` of a file that `read_queries` reads."""
    return {query.id: query.text for query in read_queries(path)}


def query_of(record: Mapping[str, Any], place: str) -> Query:
    """Return the question of a record."""
    split = record.get("split") or ""
    if not isinstance(split, str):
        raise InputError(f'{place}: "split" is a {type(split).__name__}; it must be a name, such as "dev".')
    return Query(identity(record, place), _text(record, place), split, texts_of(record, "answers", place))


def _of_tabs(line: str, place: str) -> Query:
    query_id, tab, text = line.rstrip("\r\n").partition("\t")
    if not tab:
        raise InputError(f'{place}: accepted are {{"_id", "text"}} or id<TAB>text.')
    return Query(query_id, text)


def texts_of(record: Mapping[str, Any], key: str, place: str) -> tuple[str, ...]:
    """Return the texts under ``key``, which holds a list of them, one text, or nothing."""
    value = record.get(key)
    texts = [] if value is None else [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise InputError(f'{place}: "{key}" must be a text or a list of texts.')
    return tuple(texts)


def identity(record: Mapping[str, Any], place: str) -> str:
    """Return the id of a record: ``_id`` or ``id``, a text or a whole number."""
    found = record.get("_id", record.get("id"))
    if not isinstance(found, str | int) or isinstance(found, bool):
        raise InputError(f'{place}: there is no "_id"; accepted is {{"_id", "text", "title"?}}.')
    return str(found)


def _text(record: Mapping[str, Any], place: str) -> str:
    text = record.get("text")
    if not isinstance(text, str):
        raise InputError(f'{place}: there is no "text"; accepted is {{"_id", "text", "title"?}}.')
    return text
