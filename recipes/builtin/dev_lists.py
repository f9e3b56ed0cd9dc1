"""Make lists of dev questions: short ones to watch training on, longer ones to calibrate on, and lists as they come.

The share of words is found on lists as they come: among passages that BM25 ranks best, words seem worth too little.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from recipes.builtin.examples import crossing_examples
from recipes.builtin.sources import lines, read_pairs
from recipes.sets import QUESTION_SETS

from secondpass.rerank.blend import CROSSING, pair_kind
from secondpass.retrieve.collection_bm25 import CollectionBM25
from secondpass.text.language import language
from secondpass.types import Chunk

LONGEST = 900


@dataclass(frozen=True, slots=True)
class Listing:
    """How many questions a set gives, and how many wrong passages each has: the best by BM25, and drawn from the rest.

    Where all wrong passages are the best by BM25, words tell nothing, and seem worth less than they are. ``wrong``
    None: all candidates, as they come.
    """

    questions: int
    wrong: int | None
    drawn: int = 0


WATCHED, CALIBRATED, GIVEN = Listing(28, 9), Listing(50, 10, 14), Listing(30, None)
MEASURED = ("noveleval", "limit_small")
"""Sets with dev questions alone, whose licences allow it: they say with the others how much words count."""


def make_dev_lists(data: Path, listing: Listing, seed: int, more: Sequence[str] = ()) -> list[dict[str, object]]:
    """Return dev questions of every set that is learnt from, and of ``more``, with right and wrong passages."""
    draw = random.Random(seed)
    found: list[dict[str, object]] = []
    for name in (*QUESTION_SETS, *more):
        if (data / name / "candidates.jsonl").is_file():
            found += _lists_of(data / name, listing, draw)
    return found


def crossing_lists(data: Path, questions: int, seed: int) -> list[dict[str, object]]:
    """Return parallel texts, drawn anew, as questions in the other language.

    A heading or a command may be the same in both; such a question is none for the other language, and left out.
    """
    drawn = crossing_examples(list(read_pairs(data)), questions // 10, random.Random(seed))
    chosen = random.Random(seed).sample(drawn, min(questions, len(drawn)))
    chosen = [one for one in chosen if pair_kind(language(one.query), one.positives[0]) == CROSSING]
    return [
        {"query": one.query, "pos": list(one.positives), "neg": list(one.negatives), "provenance": {"kind": one.kind}}
        for one in chosen
    ]


def _lists_of(folder: Path, listing: Listing, draw: random.Random) -> list[dict[str, object]]:
    dev = {row["_id"]: row["text"] for row in lines(folder / "queries.jsonl") if row["split"] == "dev"}
    texts = {row["_id"]: row["text"][:LONGEST] for row in lines(folder / "corpus.jsonl.gz")}
    relevant: dict[str, list[str]] = {}
    for line in (folder / "qrels.tsv").read_text(encoding="utf-8").splitlines():
        query, _, passage, grade = line.split("\t")
        if int(grade) > 0:
            relevant.setdefault(query, []).append(passage)
    lists = {row["qid"]: row["pids"] for row in lines(folder / "candidates.jsonl") if row["qid"] in dev}
    found = []
    for query in draw.sample(sorted(lists), min(listing.questions, len(lists))):
        wrong = [name for name in lists[query] if name not in relevant.get(query, ())]
        chosen = _chosen(dev[query], wrong, texts, listing, draw)
        right = [texts[name] for name in relevant.get(query, ()) if name in lists[query]]
        if right and chosen:
            row = {"query": dev[query], "pos": right, "neg": [texts[name] for name in chosen]}
            found.append(row | {"provenance": {"kind": folder.name}})
    return found


def _chosen(query: str, wrong: list[str], texts: dict[str, str], listing: Listing, draw: random.Random) -> list[str]:
    if listing.wrong is None:
        return wrong
    search = CollectionBM25(Chunk(name, texts[name]) for name in wrong)
    best = [name for name, _ in search.best(query, listing.wrong)]
    others = [name for name in wrong if name not in best]
    missing = listing.wrong - len(best)
    rest = others[missing:]
    return best + others[:missing] + draw.sample(rest, min(listing.drawn, len(rest)))


def write_rows(path: Path, rows: list[dict[str, object]]) -> None:
    """Write ``rows`` as JSONL."""
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    path.write_text(text, encoding="utf-8")
