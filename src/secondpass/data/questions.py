"""The user's own questions: what is asked, the strings that answer it, and the files in which the answer stands.

With what was retrieved for them they become a ranking task: a passage is relevant where it holds an answer.
"""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from secondpass.data.corpora import texts_of
from secondpass.data.lines import parse_object, read_lines
from secondpass.data.tasks import Candidate, RankingTask
from secondpass.errors import InputError
from secondpass.text.language import HAN
from secondpass.text.normalize import fold
from secondpass.types import Chunk, Hit, Qrels

_log = logging.getLogger(__name__)
UNKNOWN_FILES = "files named by questions that are not there"
WITHOUT_HITS = "questions for which nothing was found"
_FORM = 'accepted is {"id"?, "question", "answers"?: [texts], "files"?: [names]}, with answers or files or both'
_TEXT = ("text", "question", "query")
_ANSWERS = ("answers", "answer")
_FILES = ("files", "docs", "file", "doc")
_PART_OF_WORD = rf"[^\W_{HAN}]"
_SPACE = re.compile(rf"(?<=[{HAN}])\s+|\s+(?=[{HAN}])")


@dataclass(frozen=True, slots=True)
class Question:
    """A question of the user's.

    ``answers``: short reference answers, any of which will do. ``quotes``: longer texts that bear an answer out.
    ``files``: documents that hold an answer, by name or by the end of their path.
    """

    id: str
    text: str
    answers: tuple[str, ...] = ()
    quotes: tuple[str, ...] = ()
    files: tuple[str, ...] = ()


def read_question_file(path: str | Path) -> list[Question]:
    """Read JSON lines of ``{"_id" or "id"?, "text" or "question" or "query", "answers"?, "files" or "docs"?}``.

    ``"evidence": [{"doc", "quotes"}]`` names files and texts too. A question without an id is called by its line, and
    one whose id stood there before by both, which is logged: nothing but the reader's eye goes by these ids.

    Raises:
        InputError: a line cannot be used, or a question has neither answers nor files.
    """
    questions: dict[str, Question] = {}
    for number, line in read_lines(str(path)):
        place = f"{path}:{number}"
        question = _question(parse_object(line, place), number, place)
        if question.id in questions:
            _log.warning(
                "%s: the id %s stood there before; this one is called %s:%d", place, question.id, question.id, number
            )
            question = replace(question, id=f"{question.id}:{number}")
        questions[question.id] = question
    if not questions:
        raise InputError(f"{path}: there is no question in this file; {_FORM}.")
    return list(questions.values())


def _question(record: Mapping[str, Any], number: int, place: str) -> Question:
    text = next((record[key] for key in _TEXT if key in record), None)
    if not isinstance(text, str) or not text.strip():
        raise InputError(f"{place}: there is no question; {_FORM}. Found are: {', '.join(record)}.")
    given = record.get("_id", record.get("id", number))
    if not isinstance(given, str | int) or isinstance(given, bool):
        raise InputError(f'{place}: "id" is a {type(given).__name__}; it must be a text or a whole number.')
    documents, quotes = _evidence(record.get("evidence", []), place)
    question = Question(
        id=str(given),
        text=text,
        answers=_texts(record, _ANSWERS, place),
        quotes=tuple(quote for quote in quotes if quote.strip()),
        files=(*_texts(record, _FILES, place), *documents),
    )
    if not (question.answers or question.quotes or question.files):
        raise InputError(f"{place}: the question {text[:40]!r} has neither answers nor files; {_FORM}.")
    return question


def _texts(record: Mapping[str, Any], keys: Sequence[str], place: str) -> tuple[str, ...]:
    found = [text for key in keys for text in texts_of(record, key, place) if text.strip()]
    return tuple(dict.fromkeys(found))


def _evidence(value: object, place: str) -> tuple[list[str], list[str]]:
    """Return the documents and the quotes that are named as evidence."""
    if not isinstance(value, list) or not all(isinstance(part, dict) for part in value):
        raise InputError(f'{place}: "evidence" must be a list of {{"doc", "quotes"}}.')
    documents = [name for part in value for name in texts_of(part, "doc", place)]
    return documents, [quote for part in value for quote in texts_of(part, "quotes", place)]


class AnswerFinder:
    """Tell which passages hold an answer to a question.

    Compared are folded texts (width, case, accents, traditional characters), without the white space beside Chinese
    characters. An answer that begins or ends within a word or a number is none: ``70`` does not stand in ``1701``.
    """

    def __init__(self, question: Question) -> None:
        marks = [normalised(mark) for mark in (*question.answers, *question.quotes)]
        self._pattern = re.compile("|".join(map(_standing_alone, marks))) if marks else None
        self._files = [_path(name) for name in question.files]

    def grade(self, passage: Chunk) -> int:
        """Return 1 where the passage holds an answer and comes from a file that was named, if any was; else 0.

        Where a question has no answers, every passage of its files is relevant.
        """
        if self._files and not any(is_named(passage, name) for name in self._files):
            return 0
        return int(self._pattern is None or self._pattern.search(normalised(passage.text)) is not None)


def normalised(text: str) -> str:
    """Return a text as answers are looked for in it.

    >>> normalised("西安　交通大學 有 Ｂ Schools")
    '西安交通大学有b schools'
    """
    return _SPACE.sub("", " ".join(fold(text).split()))


def _standing_alone(mark: str) -> str:
    before = rf"(?<!{_PART_OF_WORD})" if re.match(_PART_OF_WORD, mark) else ""
    after = rf"(?!{_PART_OF_WORD})" if re.search(rf"{_PART_OF_WORD}$", mark) else ""
    if mark[:1].isdigit():
        before += r"(?<!\d[.,])"
    if mark[-1:].isdigit():
        after += r"(?![.,]\d)"
    return before + re.escape(mark) + after


def _path(name: str) -> str:
    return name.replace("\\", "/").removeprefix("./").strip("/")


def is_named(passage: Chunk, name: str) -> bool:
    """Tell whether a passage comes from the document ``name``: its path, or the last parts of it."""
    paths = [path.replace("\\", "/") for path in (passage.doc_id, passage.source) if path]
    return any(path == name or path.endswith(f"/{name}") for path in paths)


def task_from_questions(
    questions: Sequence[Question],
    hits: Mapping[str, Sequence[Hit]],
    name: str = "questions",
    documents: Collection[str] | None = None,
) -> RankingTask:
    """Make a task of questions and the hits that a first stage found for each (``{question id: hits}``).

    Judged is what was found, so that a question whose answer was not found counts as missed, and what else would be
    relevant is not known. ``documents``: ids of all documents that are there; files that are none of them are counted.
    """
    skipped: Counter[str] = Counter()
    passages: dict[str, Chunk] = {}
    candidates: dict[str, tuple[Candidate, ...]] = {}
    qrels: Qrels = {}
    for question in questions:
        found = hits.get(question.id, ())
        finder = AnswerFinder(question)
        passages |= {hit.chunk.id: hit.chunk for hit in found}
        candidates[question.id] = tuple(Candidate(hit.chunk.id, hit.score, hit.stages) for hit in found)
        qrels[question.id] = {hit.chunk.id: finder.grade(hit.chunk) for hit in found}
        skipped[WITHOUT_HITS] += not found
    if documents is not None:
        skipped[UNKNOWN_FILES] = len(unknown_files(questions, documents))
    stages = [hit.stages[-1].stage if hit.stages else "given" for found in hits.values() for hit in found]
    return RankingTask(
        name=name,
        queries={question.id: question.text for question in questions},
        passages=passages,
        qrels=qrels,
        candidates=candidates,
        first_stage=stages[0] if stages else "given",
        scale=next((hit.scale for found in hits.values() for hit in found), "unknown"),
        answers={question.id: question.answers for question in questions if question.answers},
        skipped={reason: count for reason, count in skipped.items() if count},
    )


def unknown_files(questions: Sequence[Question], documents: Collection[str]) -> list[str]:
    """Return the files that questions name and ``documents`` (their ids) does not hold."""
    known = [Chunk("", "", doc_id=doc_id) for doc_id in documents]
    named = dict.fromkeys(name for question in questions for name in question.files)
    return [name for name in named if not any(is_named(passage, _path(name)) for passage in known)]
