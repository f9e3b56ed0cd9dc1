"""A small reranking task in the form of MTEB: Chinese and English, graded, with texts that stand twice."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.models.tiny_models import SENTENCES


def small_task(questions: int = 24, seed: int = 5) -> dict[str, Any]:
    """Return ``corpus``, ``queries``, ``qrels`` and ``top_ranked``; relevant passages stand first in their lists."""
    draw = random.Random(seed)
    texts = [*SENTENCES, *SENTENCES[:6]]  # equal texts get equal scores
    corpus = [{"_id": f"段{n:02}", "title": "标题" if n % 5 == 0 else "", "text": text} for n, text in enumerate(texts)]
    queries = [{"_id": f"问{n}", "text": f"{draw.choice(SENTENCES)[:12]}？"} for n in range(questions)]
    qrels: dict[str, dict[str, int]] = {}
    lists: dict[str, list[str]] = {}
    for query in queries:
        drawn = draw.sample([passage["_id"] for passage in corpus], draw.randint(4, 12))
        relevant = drawn[: draw.randint(1, 3)]
        qrels[query["_id"]] = {doc_id: draw.choice([1, 1, 2]) for doc_id in relevant} | {drawn[-1]: 0}
        lists[query["_id"]] = drawn
    return {"corpus": corpus, "queries": queries, "qrels": qrels, "top_ranked": lists}


def rows_of(task: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of each part as the hub keeps them."""
    return {
        "corpus": task["corpus"],
        "queries": task["queries"],
        "qrels": [
            {"query-id": query_id, "corpus-id": doc_id, "score": grade}
            for query_id, grades in task["qrels"].items()
            for doc_id, grade in grades.items()
        ],
        "top_ranked": [{"query-id": query_id, "corpus-ids": ids} for query_id, ids in task["top_ranked"].items()],
    }


def write_lines(path: Path, records: Sequence[Mapping[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records), encoding="utf-8")
