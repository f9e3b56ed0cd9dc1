"""Judgements: which passage is relevant to which question, and how much (TREC's qrels, BEIR's tables)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from secondpass.data.lines import parse_object, read_lines
from secondpass.errors import InputError
from secondpass.types import Qrels

_ACCEPTED = "accepted are query_id 0 doc_id grade (TREC) and query-id<TAB>corpus-id<TAB>score (BEIR)"
_GRADE_NAMES = frozenset({"grade", "label", "rel", "relevance", "relevancy", "score"})
_GRADE = re.compile(r"[+-]?[0-9]+")


def read_qrels(path: str | Path) -> Qrels:
    """Return the grades of a file, gzipped if its name ends in .gz.

    Each line has TREC's four fields (``query_id 0 doc_id grade``) or BEIR's three (``query-id corpus-id score``, which
    the first line may name), or is a JSON object with BEIR's three. Fields are separated by tabs, or by white space in
    a line without tabs.

    Raises:
        InputError: a line is none of these, a grade is no whole number, a passage has two grades for one question, or
            the file is empty.
    """
    shown = str(path)
    qrels: Qrels = {}
    for number, line in read_lines(shown):
        place = f"{shown}:{number}"
        if line.lstrip().startswith("{"):
            add_judgement(qrels, parse_object(line, place), place)
            continue
        fields = [field.strip() for field in line.split("\t")] if "\t" in line else line.split()
        if number == 1 and fields[-1].lower() in _GRADE_NAMES:
            continue
        query_id, doc_id, grade = _three(fields, place)
        _add(qrels, query_id, doc_id, _grade(grade, place), place)
    if not qrels:
        raise InputError(f"{shown}: there is no judgement in this file; {_ACCEPTED}.")
    return qrels


def _three(fields: list[str], place: str) -> tuple[str, str, str]:
    if len(fields) == 4:
        fields = [fields[0], *fields[2:]]
    if len(fields) != 3:
        hint = "; six are a TREC run, which has no grades" if len(fields) == 6 else ""
        raise InputError(f"{place}: {len(fields)} fields; {_ACCEPTED}{hint}.")
    if not all(fields):
        raise InputError(f"{place}: a field is empty; {_ACCEPTED}.")
    return fields[0], fields[1], fields[2]


def add_judgement(qrels: Qrels, record: Mapping[str, Any], place: str) -> None:
    """Add a judgement that is written as an object with ``query-id``, ``corpus-id`` and ``score``.

    Raises:
        InputError: a key is missing, or the score is no whole number.
    """
    ids = [record.get(key) for key in ("query-id", "corpus-id")]
    score = record.get("score")
    if not all(isinstance(value, str | int) for value in ids) or not isinstance(score, str | int | float):
        raise InputError(f'{place}: accepted is {{"query-id", "corpus-id", "score"}}; found are: {", ".join(record)}.')
    whole = int(score) if isinstance(score, float) and score.is_integer() else score
    _add(qrels, str(ids[0]), str(ids[1]), _grade(str(whole), place), place)


def _grade(text: str, place: str) -> int:
    if not _GRADE.fullmatch(text):
        raise InputError(f"{place}: the grade is {text!r}; it must be a whole number, 0 where nothing is relevant.")
    return int(text)


def _add(qrels: Qrels, query_id: str, doc_id: str, grade: int, place: str) -> None:
    known = qrels.setdefault(query_id, {}).setdefault(doc_id, grade)
    if known != grade:
        raise InputError(
            f"{place}: passage {doc_id!r} has the grade {grade} for question {query_id!r}, and had {known} further up."
        )
