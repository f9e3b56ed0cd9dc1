"""Texts for the index benchmarks: real Chinese and English sections where the data is present, else made-up ones."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
NO_SECTIONS = {"parallel", "cedict"}
SYLLABLES = "ka lo mi ren tus ver on del pra sti ock ing ba fe nu gor".split()


def sections() -> list[str]:
    """Return about 90,000 real sections, or 20,000 made-up ones of words by Zipf's law."""
    files = [path for path in sorted((DATA / "text").glob("*.jsonl.gz")) if path.name.split(".")[0] not in NO_SECTIONS]
    if not files:
        return _made_up(20_000)
    texts: list[str] = []
    for path in files:
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            texts += [json.loads(line)["text"] for line in lines]
    return texts


def questions(per_set: int = 200) -> list[str]:
    """Return real questions, Chinese (simplified and traditional) and English; or made-up ones."""
    found: list[str] = []
    for name in ("cmrc2018", "drcd", "squad_dev", "selqa"):
        path = DATA / name / "queries.jsonl"
        if path.exists():
            with path.open(encoding="utf-8") as lines:
                found += [json.loads(line)["text"] for line, _ in zip(lines, range(per_set), strict=False)]
    return found or [text[:25] for text in _made_up(4 * per_set, seed=2)]


def _made_up(count: int, seed: int = 1) -> list[str]:
    choose = random.Random(seed)
    english = ["".join(choose.choices(SYLLABLES, k=choose.randrange(1, 4))) for _ in range(20_000)]
    chinese = ["".join(chr(choose.randrange(0x4E00, 0x5E00)) for _ in range(2)) for _ in range(20_000)]
    texts = []
    for number in range(count):
        words = chinese if number % 2 else english
        picked = [words[min(int(choose.paretovariate(0.6)), len(words)) - 1] for _ in range(120)]
        texts.append("。".join(["".join(picked[:60]), "".join(picked[60:])]) if number % 2 else " ".join(picked) + ".")
    return texts
