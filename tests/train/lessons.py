"""Small things to learn from: questions whose right passages are told from the wrong ones by a single sign."""

from __future__ import annotations

import json
from pathlib import Path

from tests.models.tiny_models import SENTENCES

_CHINESE, _ENGLISH = SENTENCES[:11], SENTENCES[11:21]
NEGATIVES = 3


def write_lessons(path: Path, count: int = 24, start: int = 0) -> Path:
    """Write ``count`` questions in FlagEmbedding's form; to a Chinese question the Chinese passage is right."""
    rows = []
    for number in range(start, start + count):
        mine, others = (_CHINESE, _ENGLISH) if number % 2 else (_ENGLISH, _CHINESE)
        text = mine[number % len(mine)]
        wrong = [others[(number + step) % len(others)] for step in range(NEGATIVES)]
        rows.append({"query": f"{number} {text[:9]}", "pos": [f"{text} {number}"], "neg": wrong})
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path
