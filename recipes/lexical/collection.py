"""Read a reranking collection, and score it with BM25 over the whole of it, as a first stage would."""

import gzip
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from secondpass.retrieve.collection_bm25 import STEMMED, Analyzer, CollectionBM25
from secondpass.text.language import HAN
from secondpass.text.terms import STOP_WORDS
from secondpass.types import Chunk, Qrels


@dataclass(frozen=True, slots=True)
class Collection:
    """Passages, questions with their split, grades, and the lists to rerank."""

    name: str
    passages: dict[str, Chunk]
    queries: dict[str, tuple[str, str]]
    qrels: Qrels
    candidates: dict[str, list[str]]

    def query_ids(self, split: str) -> list[str]:
        """Return the judged questions of a split, in the order of the file."""
        return [key for key, (_, part) in self.queries.items() if part == split and key in self.qrels]


def _json_lines(path: Path) -> list[dict]:
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def read_collection(folder: Path) -> Collection:
    """Read one folder of the data described in its README."""
    qrels: Qrels = {}
    for line in (folder / "qrels.tsv").read_text(encoding="utf-8").splitlines():
        query_id, _, doc_id, grade = line.split("\t")
        qrels.setdefault(query_id, {})[doc_id] = int(grade)
    lists = folder / "candidates.jsonl"
    return Collection(
        name=folder.name,
        passages={
            row["_id"]: Chunk(id=row["_id"], text=row["text"], title=row["title"] or "")
            for row in _json_lines(folder / "corpus.jsonl.gz")
        },
        queries={row["_id"]: (row["text"], row["split"]) for row in _json_lines(folder / "queries.jsonl")},
        qrels=qrels,
        candidates={row["qid"]: row["pids"] for row in _json_lines(lists)} if lists.exists() else {},
    )


_PLAIN_TOKEN = re.compile(rf"[{HAN}]+|[^\W_{HAN}]+")


def _plain_terms(text: str) -> list[str]:
    """Lower-cased words without stop words, Chinese character pairs: no stems, no folding."""
    out: list[str] = []
    for token in _PLAIN_TOKEN.findall(text.lower()):
        if re.match(f"[{HAN}]", token):
            out += [token[i : i + 2] for i in range(len(token) - 1)] or [token]
        elif token not in STOP_WORDS:
            out.append(token)
    return out


PLAIN: Analyzer = (_plain_terms, _plain_terms)


class Bm25:
    """BM25 over a whole collection: ids in order, those that hold no term of the question at the end."""

    def __init__(self, passages: Iterable[Chunk], analyzer: Analyzer = STEMMED) -> None:
        self._collection = CollectionBM25(passages, analyzer)
        self.ids = self._collection.ids

    def best(self, query: str, top_k: int) -> list[str]:
        """Return the ids of the best passages; ties keep the order of the collection."""
        return [self.ids[row] for row in np.argsort(-self._collection.scores(query), kind="stable")[:top_k]]

    def score_of(self, query: str, doc_ids: list[str]) -> np.ndarray:
        """Return the scores of some passages, float64 [N]."""
        return self._collection.scores_of(query, doc_ids)
