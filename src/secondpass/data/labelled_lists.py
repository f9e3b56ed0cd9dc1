"""Labelled lists as JSON lines: a question with its passages and grades, or with positive and negative passages."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from secondpass.data.corpora import Query, Titles, passage_of, texts_of
from secondpass.data.lines import parse_object, read_lines
from secondpass.data.task_assembly import ReadOptions, TaskParts, assemble, choose_questions, hash_order
from secondpass.data.tasks import Candidate, RankingTask
from secondpass.errors import InputError
from secondpass.types import Chunk

WITHOUT_RELEVANT = "questions without a relevant passage"
BOTH = "negatives that are positives of the same question"
TWICE = "passages that stand twice in one list"
_FORM = (
    'accepted are {"query", "passages": [{"text", "relevance"}, ...]} and '
    '{"query", "positive": [...], "negative": [...]}'
)
_POSITIVE, _NEGATIVE = ("positive", "pos"), ("negative", "neg")
_GRADES = ("relevance", "label")


@dataclass(frozen=True, slots=True)
class _Labelled:
    """A passage of a list; ``id`` is empty where the file gives none."""

    id: str
    chunk: Chunk
    grade: int
    score: float | None


@dataclass(frozen=True, slots=True)
class _List:
    query_id: str
    query: str
    answers: tuple[str, ...]
    passages: tuple[_Labelled, ...]
    place: str


def read_labelled_lists(path: str, options: ReadOptions) -> RankingTask:
    """Read a file of labelled lists.

    ``{"id"?, "query", "passages": [{"id"?, "text", "title"?, "relevance" or "label", "score"?}]}``: where every passage
    has a score, the lists are in the order of the scores. ``{"query", "positive", "negative"}``, each a text or a list
    of texts: the order says nothing. A passage without an id is named by its text, so that the same text is the same
    passage. Ids that mean other texts in other lists count within their list.

    Raises:
        InputError: a line cannot be used, or some passages have scores and others none.
    """
    skipped: Counter[str] = Counter()
    lists: dict[str, _List] = {}
    for number, line in read_lines(path):
        place = f"{path}:{number}"
        found = _read_list(parse_object(line, place), number, options.titles, place, skipped)
        if found.query_id in lists:
            raise InputError(f"{place}: the id {found.query_id!r} stands at {lists[found.query_id].place} already.")
        lists[found.query_id] = found
    if not lists:
        raise InputError(f"{path}: the file is empty; {_FORM}.")
    useful = [found for found in lists.values() if any(passage.grade > 0 for passage in found.passages)]
    skipped[WITHOUT_RELEVANT] += len(lists) - len(useful)
    scored = _are_scored(useful)
    return _task(Path(path), useful, scored, skipped, options)


def _task(path: Path, lists: list[_List], scored: bool, skipped: Counter[str], options: ReadOptions) -> RankingTask:
    names = _Names(lists)
    passages: dict[str, Chunk] = {}
    candidates: dict[str, list[Candidate]] = {}
    qrels: dict[str, dict[str, int]] = {}
    for found in lists:
        grades, order = qrels.setdefault(found.query_id, {}), candidates.setdefault(found.query_id, [])
        for passage in found.passages:
            doc_id = names.of(found, passage)
            if (known := grades.get(doc_id)) is not None:
                if known != passage.grade:
                    raise InputError(f"{found.place}: passage {doc_id!r} has the grades {known} and {passage.grade}.")
                skipped[TWICE] += 1
                continue
            grades[doc_id] = passage.grade
            order.append(Candidate(doc_id, passage.score))
            chunk = passage.chunk
            passages[doc_id] = Chunk(doc_id, chunk.text, doc_id, 0, len(chunk.text), title=chunk.title)
        if scored:
            order.sort(key=lambda candidate: -(candidate.score or 0.0))
    queries = [Query(found.query_id, found.query, answers=found.answers) for found in lists]
    name = path.name.removesuffix(".gz").removesuffix(".jsonl")
    first_stage = "given" if scored else ""
    parts = TaskParts(name, queries, candidates.keys(), qrels, candidates, first_stage, skipped=skipped)
    return assemble(choose_questions(parts, options), passages)


class _Names:
    """The ids of passages: as given where they mean one text in the whole file, else within their list."""

    def __init__(self, lists: list[_List]) -> None:
        meaning: dict[str, tuple[str, str]] = {}
        self._within_lists = False
        for found in lists:
            for passage in found.passages:
                text = (passage.chunk.title, passage.chunk.text)
                if passage.id and meaning.setdefault(passage.id, text) != text:
                    self._within_lists = True

    def of(self, found: _List, passage: _Labelled) -> str:
        """Return the id of a passage of a list."""
        if not passage.id:
            return _named_by_text(passage.chunk)
        return f"{found.query_id}/{passage.id}" if self._within_lists else passage.id


def _named_by_text(chunk: Chunk) -> str:
    text = f"{chunk.title}\0{chunk.text}".encode("utf-8", "surrogatepass")
    return hashlib.blake2b(text, digest_size=8).hexdigest()


def _are_scored(lists: list[_List]) -> bool:
    """Tell whether all passages have scores; refuse a file in which some have."""
    having = {passage.score is not None: found.place for found in lists for passage in found.passages}
    if len(having) > 1:
        raise InputError(
            f"{having[False]}: a passage without a score, while one at {having[True]} has one; give a score to all of "
            "them (they are then in that order) or to none."
        )
    return True in having


def _read_list(record: dict[str, Any], number: int, titles: Titles, place: str, skipped: Counter[str]) -> _List:
    query = record.get("query")
    if not isinstance(query, str):
        raise InputError(f'{place}: "query" is no text; {_FORM}.')
    given = record.get("id", record.get("_id", number))
    if not isinstance(given, str | int) or isinstance(given, bool):
        raise InputError(f'{place}: "id" is a {type(given).__name__}; it must be a text or a whole number.')
    if "passages" in record:
        passages = _graded(record["passages"], titles, place)
    else:
        passages = _positives_and_negatives(record, place, skipped)
    if not passages:
        raise InputError(f"{place}: the list is empty; {_FORM}.")
    return _List(str(given), query, texts_of(record, "answers", place), tuple(passages), place)


def _graded(passages: object, titles: Titles, place: str) -> list[_Labelled]:
    if not isinstance(passages, list):
        raise InputError(f'{place}: "passages" is a {type(passages).__name__}; {_FORM}.')
    return [_labelled(record, titles, f"{place}: passage {rank}") for rank, record in enumerate(passages, start=1)]


def _labelled(record: object, titles: Titles, place: str) -> _Labelled:
    if not isinstance(record, dict):
        raise InputError(f"{place} is a {type(record).__name__}; {_FORM}.")
    given = record.get("id", record.get("_id", ""))
    if not isinstance(given, str | int) or isinstance(given, bool):
        raise InputError(f'{place}: "id" is a {type(given).__name__}; it must be a text or a whole number.')
    return _Labelled(str(given), passage_of("", record, place, titles), _grade(record, place), _score(record, place))


def _grade(record: Mapping[str, Any], place: str) -> int:
    found = [record[key] for key in _GRADES if key in record]
    if len(found) != 1 or not isinstance(found[0], int | float) or found[0] != int(found[0]):
        said = f"{found[0]!r}" if len(found) == 1 else "there twice" if found else "missing"
        raise InputError(f'{place}: "relevance" (or "label") is {said}; it must be a whole number, 0 for not relevant.')
    return int(found[0])


def _score(record: Mapping[str, Any], place: str) -> float | None:
    score = record.get("score")
    if score is None:
        return None
    if not isinstance(score, int | float) or isinstance(score, bool) or not math.isfinite(score):
        raise InputError(f'{place}: "score" is {score!r}; it must be a finite number.')
    return float(score)


def _positives_and_negatives(record: Mapping[str, Any], place: str, skipped: Counter[str]) -> list[_Labelled]:
    """Return both sorts, in an order that does not know which is which."""
    keys = [next((name for name in names if name in record), "") for names in (_POSITIVE, _NEGATIVE)]
    if not all(keys):
        raise InputError(f"{place}: {_FORM}; found are: {', '.join(record)}.")
    positives, negatives = (texts_of(record, key, place) for key in keys)
    skipped[BOTH] += sum(text in positives for text in negatives)
    grades = [(text, 1) for text in positives] + [(text, 0) for text in negatives if text not in positives]
    mixed = sorted(grades, key=lambda pair: hash_order(pair[0]))
    return [_Labelled("", Chunk("", text), grade, None) for text, grade in mixed]
