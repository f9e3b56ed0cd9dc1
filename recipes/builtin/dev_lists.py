"""Make the small mixture of dev questions on which training is watched and steps are chosen."""

from __future__ import annotations

import json
import random
from pathlib import Path

from sources import QUESTION_SETS, lines

from secondpass.retrieve.collection_bm25 import CollectionBM25
from secondpass.types import Chunk

HARDEST = 9
QUESTIONS = 28
LONGEST = 900


def make_dev_lists(data: Path, seed: int) -> list[dict[str, object]]:
    """Return dev questions of every set that is learnt from, with the relevant passages and the best wrong ones."""
    draw = random.Random(seed)
    found: list[dict[str, object]] = []
    for name in QUESTION_SETS:
        if (data / name / "candidates.jsonl").is_file():
            found += _lists_of(data / name, draw)
    return found


def _lists_of(folder: Path, draw: random.Random) -> list[dict[str, object]]:
    dev = {row["_id"]: row["text"] for row in lines(folder / "queries.jsonl") if row["split"] == "dev"}
    texts = {row["_id"]: row["text"][:LONGEST] for row in lines(folder / "corpus.jsonl.gz")}
    relevant: dict[str, list[str]] = {}
    for line in (folder / "qrels.tsv").read_text(encoding="utf-8").splitlines():
        query, _, passage, _ = line.split()
        relevant.setdefault(query, []).append(passage)
    lists = {row["qid"]: row["pids"] for row in lines(folder / "candidates.jsonl") if row["qid"] in dev}
    found = []
    for query in draw.sample(sorted(lists), QUESTIONS):
        wrong = [name for name in lists[query] if name not in relevant[query]]
        search = CollectionBM25(Chunk(name, texts[name]) for name in wrong)
        best = [name for name, _ in search.best(dev[query], HARDEST)]
        best += [name for name in wrong if name not in best][: HARDEST - len(best)]
        right = [texts[name] for name in relevant[query] if name in lists[query]]
        if right and best:
            row = {"query": dev[query], "pos": right, "neg": [texts[name] for name in best]}
            found.append(row | {"provenance": {"kind": folder.name}})
    return found


def write_rows(path: Path, rows: list[dict[str, object]]) -> None:
    """Write ``rows`` as JSONL."""
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    path.write_text(text, encoding="utf-8")
