"""Questions with passages that answer them, and with passages that do not: what answers are fitted and measured on.

Of each question three lists of passages are made:

answered    the passage that answers among BM25's best four others, in BM25's order
near        BM25's best five that do not hold the answer: mostly of the same article
far         BM25's best five of another collection: about something else
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.sparse import csc_matrix

from secondpass.text.normalize import fold
from secondpass.text.terms import document_vector, query_vector
from secondpass.types import Chunk, Hit

SETS = {"squad_dev": "en", "cmrc2018": "zh", "drcd": "zh"}
ELSEWHERE = {"squad_dev": "pubmedqa", "cmrc2018": "drcd", "drcd": "cmrc2018", "pubmedqa": "squad_dev"}
YES_OR_NO = {"pubmedqa"}  # the reference answer is a word that stands in every passage
OTHERS = 4


@dataclass(frozen=True, slots=True)
class Case:
    query: str
    answers: tuple[str, ...]
    gold_rank: int
    answered: tuple[Hit, ...]
    near: tuple[Hit, ...]
    far: tuple[Hit, ...]


def says(text: str, answers: tuple[str, ...]) -> bool:
    return any(fold(answer) in fold(text) for answer in answers)


def hits_of(texts: dict[str, str], passage_ids: list[str]) -> tuple[Hit, ...]:
    return tuple(
        Hit(Chunk(passage_id, texts[passage_id], passage_id, 0, len(texts[passage_id])), 1 / rank, "rank_only")
        for rank, passage_id in enumerate(passage_ids, start=1)
    )


def read_texts(folder: Path) -> dict[str, str]:
    with gzip.open(folder / "corpus.jsonl.gz", "rt", encoding="utf-8") as lines:
        return {record["_id"]: record["text"] for record in map(json.loads, lines)}


class Search:
    """BM25 over a collection."""

    def __init__(self, texts: dict[str, str]) -> None:
        self.ids = list(texts)
        self.columns: dict[int, int] = {}
        rows, columns, values = [], [], []
        for row, text in enumerate(texts.values()):
            vector = document_vector(text)
            rows += [row] * len(vector.ids)
            columns += [self.columns.setdefault(number, len(self.columns)) for number in vector.ids.tolist()]
            values += vector.weights.tolist()
        self.matrix = csc_matrix((values, (rows, columns)), shape=(len(self.ids), len(self.columns)), dtype=np.float32)
        counts = np.diff(self.matrix.indptr)
        self.idf = np.log(1 + (len(self.ids) - counts + 0.5) / (counts + 0.5))

    def best(self, query: str, top_k: int) -> list[str]:
        scores = np.zeros(len(self.ids))
        vector = query_vector(query)
        for number, weight in zip(vector.ids.tolist(), vector.weights.tolist(), strict=True):
            if (column := self.columns.get(number)) is not None:
                start, end = self.matrix.indptr[column : column + 2]
                scores[self.matrix.indices[start:end]] += weight * self.idf[column] * self.matrix.data[start:end]
        return [self.ids[row] for row in np.argsort(-scores, kind="stable")[:top_k]]


def read_cases(data: Path, name: str, split: str, limit: int) -> list[Case]:
    """Build the cases of a set: the first ``limit`` questions of a split in hash order."""
    texts, far_texts = read_texts(data / name), read_texts(data / ELSEWHERE[name])
    search, far_search = Search(texts), Search(far_texts)
    relevant = defaultdict(set)
    for line in (data / name / "qrels.tsv").read_text().splitlines():
        query_id, _, passage_id, _ = line.split()
        relevant[query_id].add(passage_id)
    queries = [json.loads(line) for line in (data / name / "queries.jsonl").read_text(encoding="utf-8").splitlines()]
    queries = [query for query in queries if query["split"] == split]
    queries.sort(key=lambda query: hashlib.sha1(query["_id"].encode()).hexdigest())
    cases = []
    for query in queries[:limit]:
        answers = () if name in YES_OR_NO else tuple(query["answers"])
        ranked = search.best(query["text"], 60)
        gold = min(relevant[query["_id"]])
        wrong = [p for p in ranked if p not in relevant[query["_id"]] and not says(texts[p], answers)]
        order = {passage_id: place for place, passage_id in enumerate(ranked)}
        answered = sorted([gold, *wrong[:OTHERS]], key=lambda passage_id: order.get(passage_id, len(order)))
        cases.append(
            Case(
                query["text"],
                answers,
                answered.index(gold) + 1,
                hits_of(texts, answered),
                hits_of(texts, wrong[: OTHERS + 1]),
                hits_of(far_texts, far_search.best(query["text"], OTHERS + 1)),
            )
        )
    return cases
