"""Read what the model learns from (`recipes.sets` says what that is), train splits alone.

A passage that a dev question asks for is left out everywhere, so that nothing of the dev sets is seen before they are
measured.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recipes.sets import TEXT_SOURCES

from secondpass.text.language import language

TITLED = ("pubmedqa",)
"""Sets whose questions are the titles of their passages."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question of a train split, the passages that answer it, and the words that do."""

    text: str
    relevant: tuple[str, ...]
    answers: tuple[str, ...] = ()
    listed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class QuestionSet:
    """The train questions of a set, and its passages by id without those that only dev questions ask for."""

    name: str
    passages: dict[str, str]
    questions: list[Question]


@dataclass(frozen=True, slots=True)
class Section:
    """A section of unlabelled text."""

    language: str
    title: str
    headings: tuple[str, ...]
    text: str
    source: str


@dataclass(frozen=True, slots=True)
class Pair:
    """The same text in both languages."""

    kind: str
    english: str
    chinese: str
    source: str
    page: str
    headings: tuple[str, str] = ("", "")


def read_questions(data: Path, name: str) -> QuestionSet:
    """Read the train questions of the set ``name`` below ``data``."""
    folder = data / name
    rows = {row["_id"]: row for row in lines(folder / "queries.jsonl")}
    relevant: dict[str, list[str]] = {}
    for line in (folder / "qrels.tsv").read_text(encoding="utf-8").splitlines():
        query, _, passage, _ = line.split()
        relevant.setdefault(query, []).append(passage)
    train = {name for name, row in rows.items() if row["split"] == "train"}
    asked = {passage for query in train for passage in relevant.get(query, ())}
    hidden = {passage for query in rows.keys() - train for passage in relevant.get(query, ())} - asked
    listed: dict[str, tuple[str, ...]] = {}
    if (folder / "candidates.jsonl").is_file():
        for row in lines(folder / "candidates.jsonl"):
            listed[row["qid"]] = tuple(row["pids"])
            if row["qid"] not in train:
                hidden |= set(row["pids"]) - asked if row["kind"] == "official" else set()
    passages = {
        row["_id"]: f"{row.get('title') or ''}\n{row['text']}".strip()
        for row in lines(folder / "corpus.jsonl.gz")
        if row["_id"] not in hidden
    }
    questions = [
        Question(
            rows[query]["text"], tuple(relevant[query]), tuple(rows[query].get("answers", ())), listed.get(query, ())
        )
        for query in sorted(train & relevant.keys())
    ]
    return QuestionSet(name, passages, questions)


def read_sections(data: Path) -> Iterator[Section]:
    """Yield the sections of all text whose licence is stated."""
    for source in TEXT_SOURCES:
        for row in lines(data / "text" / f"{source}.jsonl.gz"):
            yield Section(row["lang"], row["title"], tuple(row["heading_path"]), row["text"], source)


def passage_sections(sets: Iterable[QuestionSet]) -> Iterator[Section]:
    """Yield the passages of ``sets`` as sections; of one that a single question names, the question is the title."""
    for one in sets:
        asked: dict[str, list[str]] = {}
        for question in one.questions:
            asked.setdefault(question.relevant[0], []).append(question.text)
        for name, text in one.passages.items():
            title = asked[name][0] if one.name in TITLED and len(asked.get(name, ())) == 1 else ""
            yield Section(language(text), title, (), text, one.name)


def read_pairs(data: Path) -> Iterator[Pair]:
    """Yield the texts that stand in both languages."""
    for row in lines(data / "text/parallel.jsonl.gz"):
        english, chinese = row["en"], row["zh"]
        headings = ((english.get("heading_path") or [""])[-1], (chinese.get("heading_path") or [""])[-1])
        yield Pair(row["kind"], english["text"], chinese["text"], row["source"], row.get("page") or "", headings)


def read_dictionary(data: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield every entry of the dictionary: a Chinese word, and what it means in English."""
    for row in lines(data / "text/cedict.jsonl.gz"):
        yield row["zh"], row["en"]


def lines(path: Path) -> Iterator[Any]:
    """Yield the objects of a JSONL file, packed or not."""
    text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    for line in text.decode("utf-8").split("\n"):
        if line:
            yield json.loads(line)
