"""Small tasks in Chinese and English, as records and as folders."""

from __future__ import annotations

import json
from pathlib import Path

from secondpass.data.tasks import Candidate, RankingTask
from secondpass.types import Chunk

SUBJECTS = (
    "西安交通大学",
    "绿茶的发酵",
    "The password hash",
    "Paris",
    "三所学校的合并",
    "CORS responses",
    "北京大学",
    "Ribosomes",
)
FACTS = (
    "位于陕西省西安市，由三所学校合并组成。",
    "需要较低的温度和较短的时间。",
    "is computed with Argon2 by default.",
    "is the capital of France.",
    "由国务院在2000年决定。",
    "are cached for 600 seconds by default.",
    "位于北京市海淀区。",
    "build proteins in every cell.",
)


def passages_of(count: int) -> dict[str, Chunk]:
    """Return ``count`` passages, no two alike."""
    found = {}
    for number in range(count):
        text = f"{SUBJECTS[number % 8]}{FACTS[number // 8 % 8]} {number}"
        found[f"d{number}"] = Chunk(f"d{number}", text, f"d{number}", 0, len(text))
    return found


def make_task(questions: int = 8, listed: int = 10, first_stage: str = "", scored: bool = False) -> RankingTask:
    """Return a task: every question asks for one subject, whose passages are relevant (grades 1 and 2)."""
    passages = passages_of(64)
    doc_ids = list(passages)
    queries, qrels, candidates = {}, {}, {}
    for number in range(questions):
        subject = number % 8
        queries[f"q{number}"] = (
            f"{SUBJECTS[subject]}在第{number}题？" if number % 2 else f"{SUBJECTS[subject]} in {number}"
        )
        qrels[f"q{number}"] = {f"d{subject}": 2, f"d{subject + 8}": 1, f"d{subject + 1}": 0}
        places = [(number * 7 + step * 5) % 64 for step in range(listed - 1)]
        names = list(dict.fromkeys([*(doc_ids[place] for place in places), f"d{subject}"]))
        candidates[f"q{number}"] = tuple(
            Candidate(name, float(len(names) - place) if scored else None) for place, name in enumerate(names)
        )
    return RankingTask("小任务 small", queries, passages, qrels, candidates, first_stage)


def write_task(task: RankingTask, folder: Path, kind: str | None = "official") -> Path:
    """Write ``task`` as a folder; without lists for ``kind`` None."""
    folder.mkdir(parents=True)
    lines(
        folder / "corpus.jsonl", ({"_id": key, "title": "", "text": chunk.text} for key, chunk in task.passages.items())
    )
    lines(folder / "queries.jsonl", ({"_id": key, "text": text} for key, text in task.queries.items()))
    rows = [f"{query}\t0\t{doc}\t{grade}\n" for query, grades in task.qrels.items() for doc, grade in grades.items()]
    (folder / "qrels.tsv").write_text("".join(rows), encoding="utf-8")
    if kind:
        listed = task.candidates.items()
        rows = ({"qid": key, "kind": kind, "pids": [each.doc_id for each in found]} for key, found in listed)
        lines(folder / "candidates.jsonl", rows)
    return folder


def lines(path: Path, rows: object) -> Path:
    """Write JSON lines."""
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)  # type: ignore[attr-defined]
    path.write_text(text, encoding="utf-8")
    return path
