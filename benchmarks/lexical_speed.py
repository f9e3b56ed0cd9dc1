"""Measure passages a second of the lexical reranker on one core, beside BM25 over the same passages.

    python benchmarks/lexical_speed.py [--json results.json]

Cold: every passage is new, and cutting it into words is part of the time. Passages are drawn at random from the shipped
table of terms, with frequencies like those of real text (Zipf), so that the script needs no data. BM25 (the peer) cuts
with `secondpass.text.terms` and adds up idf x tf, nothing else. Seconds are those of the process, not of the wall.
"""

import argparse
import json
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from secondpass.rerank.lexical import LexicalReranker
from secondpass.text.rarity import rarity, rarity_table
from secondpass.text.terms import query_terms, terms
from secondpass.types import Chunk

QUESTIONS = {
    "en": "When did the state council approve the merger of the three universities?",
    "zh": "国务院是什么时候批准三所学校合并成新的大学的？",
}
LENGTHS = {"en": (20, 100, 400, 2000), "zh": (40, 200, 800, 4000)}  # words, characters
PASSAGES = 1000
ROUNDS = 5


@dataclass(frozen=True, slots=True)
class Speed:
    """Passages a second, the median of the rounds, for one length of passage."""

    language: str
    length: int
    passages: int
    lexical: float
    bm25: float


def vocabulary(language: str) -> list[str]:
    """Return words from the shipped table of term rarity, the most frequent first."""
    known = sorted(rarity_table().idf.items(), key=lambda item: (item[1], item[0]))
    wide = language == "zh"
    return [term for term, _ in known if (not term.isascii()) == wide and (len(term) == 2 or not wide)][:20_000]


def make_passages(language: str, length: int, count: int, draw: random.Random) -> list[str]:
    """Return passages of sentences, about one word in twelve a word of the question."""
    words = vocabulary(language)
    weights = [1 / rank for rank in range(1, len(words) + 1)]
    asked = query_terms(QUESTIONS[language])
    stop, space, per_word = ("。", "", 2) if language == "zh" else (". ", " ", 1)
    out = []
    for _ in range(count):
        drawn = draw.choices(words, weights, k=length // per_word)
        pieces = [draw.choice(asked) if draw.random() < 1 / 12 else word for word in drawn]
        step = 20
        sentences = [space.join(pieces[i : i + step]).capitalize() for i in range(0, len(pieces), step)]
        out.append(stop.join(sentences) + stop.strip())
    return out


def bm25_scores(query: str, passages: list[Chunk]) -> np.ndarray:
    """Score by BM25 with background IDF in plain Python, the peer."""
    asked = {term: rarity(term) * count for term, count in Counter(query_terms(query)).items()}
    out = np.zeros(len(passages), np.float32)
    for row, chunk in enumerate(passages):
        counts = Counter(terms(chunk.text))
        penalty = 1.2 * (0.25 + 0.75 * counts.total() / 160)
        out[row] = sum(weight * 2.2 * counts[term] / (counts[term] + penalty) for term, weight in asked.items())
    return out


def rate(score: Callable[[list[Chunk]], object], batches: list[list[Chunk]]) -> float:
    """Return the median of passages a second; every batch is new to the scorer."""
    rates = []
    for batch in batches:
        start = time.process_time()
        score(batch)
        rates.append(len(batch) / (time.process_time() - start))
    return float(np.median(rates))


def measure(language: str, length: int, passages: int) -> Speed:
    """Measure one length of passage."""
    draw = random.Random(length)
    texts = make_passages(language, length, passages * ROUNDS, draw)
    chunks = [Chunk(id=str(number), text=text) for number, text in enumerate(texts)]
    batches = [chunks[start : start + passages] for start in range(0, len(chunks), passages)]
    query, reranker = QUESTIONS[language], LexicalReranker()
    reranker.score(query, batches[0][:1])  # reads the tables
    return Speed(
        language,
        length,
        passages,
        lexical=rate(lambda batch: reranker.score(query, batch), batches),
        bm25=rate(lambda batch: bm25_scores(query, batch), batches),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    arguments = parser.parse_args()
    rows = [measure(language, length, PASSAGES) for language in LENGTHS for length in LENGTHS[language]]
    rows += [measure(language, LENGTHS[language][1], few) for language in LENGTHS for few in (10, 100)]
    print("| language | words / characters | passages a call | lexical, passages/s | BM25, passages/s | ratio |")
    print("| --- | --- | --- | --- | --- | --- |")
    for row in rows:
        ratio = row.lexical / row.bm25
        print(
            f"| {row.language} | {row.length} | {row.passages} | {row.lexical:,.0f} | {row.bm25:,.0f} | {ratio:.2f} |"
        )
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
