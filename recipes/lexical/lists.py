"""Make the lists to learn from: questions of the train splits, and headings and sentences of unlabelled text.

Only sets whose licence allows to ship what was learnt from them. A list holds what a first stage would give: the best
of BM25, some from further down (the best alone would teach that BM25 knows nothing), and a few at random.
"""

import gzip
import hashlib
import json
import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from recipes.lexical.collection import Bm25, Collection, read_collection
from recipes.sets import TEXT_SOURCES

from secondpass.text.sentences import sentences
from secondpass.types import Chunk

QUESTIONS_PER_SET = 2000
SECTIONS_PER_SOURCE = 1200
QUERIES_PER_SOURCE = 90
SEED = 7


@dataclass(frozen=True, slots=True)
class TrainList:
    """One question with its passages, which of them are relevant, and their BM25 scores in the collection."""

    task: str
    language: str
    query: str
    passages: list[Chunk]
    relevant: list[bool]
    bm25: list[float]


def _hash(text: str) -> str:
    return hashlib.sha1(text.encode()).hexdigest()


def _negatives(name: str, ranked: list[str], all_ids: list[str], draw: random.Random) -> list[str]:
    if name == "medqa_zh":  # its neighbours by BM25 often answer the question too
        return ranked[:5] + draw.sample(ranked[5:], 5) + draw.sample(all_ids, 20)
    further = draw.sample(ranked[15:40], 8) + draw.sample(ranked[40:], 4)
    return ranked[:15] + further + draw.sample(all_ids, 2)


def _language(collection: Collection) -> str:
    return "zh" if collection.name in {"cmrc2018", "drcd", "medqa_zh"} else "en"


def question_lists(data: Path, name: str) -> Iterator[TrainList]:
    """Yield the lists of one set; passages that answer a dev question are left out."""
    collection = read_collection(data / name)
    train = sorted(collection.query_ids("train"), key=_hash)[:QUESTIONS_PER_SET]
    kept_back = {key for query_id in collection.query_ids("dev") for key in collection.qrels[query_id]}
    kept_back -= {key for query_id in train for key in collection.qrels[query_id]}
    passages = {key: chunk for key, chunk in collection.passages.items() if key not in kept_back}
    bm25 = Bm25(passages.values())
    draw = random.Random(SEED)
    for query_id in train:
        query, relevant = collection.queries[query_id][0], collection.qrels[query_id]
        ids = collection.candidates.get(query_id, [])
        if not ids:
            ranked = [key for key in bm25.best(query, 260) if key not in relevant]
            ids = [*relevant, *_negatives(name, ranked, bm25.ids, draw)]
            ids = [key for position, key in enumerate(ids) if key not in ids[:position]]
        yield TrainList(
            name,
            _language(collection),
            query,
            [collection.passages[key] for key in ids],
            [key in relevant for key in ids],
            bm25.score_of(query, ids).tolist(),
        )


@dataclass(frozen=True, slots=True)
class _Section:
    source: str
    page: str
    heading: str
    chunk: Chunk


def _sections(data: Path, language: str) -> list[_Section]:
    """Read whole pages, the same number of sections from every source."""
    out: list[_Section] = []
    for source in TEXT_SOURCES:
        pages: dict[str, list[_Section]] = defaultdict(list)
        with gzip.open(data / "text" / f"{source}.jsonl.gz", "rt", encoding="utf-8") as lines:
            for row in map(json.loads, lines):
                if row["lang"] == language:
                    parts = [row["title"]] if source == "csl_zh" else [row["title"], *row["heading_path"][-1:]]
                    chunk = Chunk(id=row["_id"], text=row["text"])
                    pages[row["page"]].append(_Section(source, row["page"], " ".join(dict.fromkeys(parts)), chunk))
        drawn: list[_Section] = []
        for page in sorted(pages, key=_hash):
            if len(drawn) > SECTIONS_PER_SOURCE:
                break
            drawn += pages[page]
        out += drawn
    return out


def _sentence_query(section: _Section, shortest: int, longest: int, draw: random.Random) -> str:
    """Return one to three sentences in a row, or nothing where they are too short or too long."""
    spans = sentences(section.chunk.text)
    count = draw.choice([1, 1, 2, 3])
    if len(spans) < count:
        return ""
    first = draw.randrange(len(spans) - count + 1)
    query = section.chunk.text[spans[first].start : spans[first + count - 1].end]
    return query if shortest <= len(query) <= longest else ""


def topic_lists(data: Path, language: str) -> Iterator[TrainList]:
    """Yield lists without questions: a heading and its section; some sentences and the rest of their page.

    They are what BM25 gives, nothing is put in: a list without a relevant passage is left out.
    """
    sections = {section.chunk.id: section for section in _sections(data, language)}
    bm25 = Bm25([section.chunk for section in sections.values()])
    draw = random.Random(SEED)
    shortest, longest = (10, 300) if language == "zh" else (30, 600)
    by_source: dict[str, list[_Section]] = defaultdict(list)
    for section in sections.values():
        by_source[section.source].append(section)
    for members in by_source.values():
        draw.shuffle(members)
        made = {"heading": 0, "page": 0}
        for section in members:
            queries = {"heading": section.heading, "page": _sentence_query(section, shortest, longest, draw)}
            for task, query in queries.items():
                if made[task] >= QUERIES_PER_SOURCE or not query:
                    continue
                ranked = bm25.best(query, 100)
                if task == "page":
                    ranked = [key for key in ranked if key != section.chunk.id]
                ids = ranked[:25] + draw.sample(ranked[25:], 12)
                found = [sections[key] for key in ids]
                same = [other.chunk.id == section.chunk.id for other in found]
                if task == "page":
                    same = [(other.source, other.page) == (section.source, section.page) for other in found]
                if 0 < sum(same) < 0.7 * len(same):
                    made[task] += 1
                    scores = bm25.score_of(query, ids).tolist()
                    yield TrainList(
                        f"{task}_{language}", language, query, [other.chunk for other in found], same, scores
                    )
