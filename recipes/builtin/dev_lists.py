"""Make lists of dev questions: short ones on which training is watched, longer ones on which scores are calibrated."""

from __future__ import annotations

import json
import random
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

    Where all wrong passages are the best by BM25, words tell nothing, and seem worth less than they are.
    """

    questions: int
    wrong: int
    drawn: int = 0


WATCHED, CALIBRATED = Listing(28, 9), Listing(50, 10, 14)


def make_dev_lists(data: Path, listing: Listing, seed: int) -> list[dict[str, object]]:
    """Return dev questions of every set that is learnt from, with the relevant passages and the best wrong ones."""
    draw = random.Random(seed)
    found: list[dict[str, object]] = []
    for name in QUESTION_SETS:
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
        query, _, passage, _ = line.split()
        relevant.setdefault(query, []).append(passage)
    lists = {row["qid"]: row["pids"] for row in lines(folder / "candidates.jsonl") if row["qid"] in dev}
    found = []
    for query in draw.sample(sorted(lists), min(listing.questions, len(lists))):
        wrong = [name for name in lists[query] if name not in relevant[query]]
        search = CollectionBM25(Chunk(name, texts[name]) for name in wrong)
        best = [name for name, _ in search.best(dev[query], listing.wrong)]
        others = [name for name in wrong if name not in best]
        missing = listing.wrong - len(best)
        rest = others[missing:]
        best += others[:missing] + draw.sample(rest, min(listing.drawn, len(rest)))
        right = [texts[name] for name in relevant[query] if name in lists[query]]
        if right and best:
            row = {"query": dev[query], "pos": right, "neg": [texts[name] for name in best]}
            found.append(row | {"provenance": {"kind": folder.name}})
    return found


def write_rows(path: Path, rows: list[dict[str, object]]) -> None:
    """Write ``rows`` as JSONL."""
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    path.write_text(text, encoding="utf-8")
