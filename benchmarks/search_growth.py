"""How search time grows with the index: warm p50 and p95 at 1,000 to 1,000,000 chunks.

python benchmarks/search_growth.py --chunks 1000 10000 100000 1000000
python benchmarks/search_growth.py --chunks 1000 10000 100000 --dimension 384

"search" is the whole of `secondpass search`: the question cut into terms, BM25 to 10, lexical to 3; "terms" is the
store's part of it. Chunks are pairs of passages cut from real Chinese and English sections, so that the posting lists
are those of real words; vectors are random ones, which is the hardest case for a graph. Questions are real.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from index_texts import questions, sections
from secondpass.config import make_reranker
from secondpass.index.disk import folder_bytes
from secondpass.index.entries import make_entries
from secondpass.index.qdrant_edge import QdrantEdgeStore
from secondpass.pipeline import Pipeline
from secondpass.retrieve.stored import BM25Retriever
from secondpass.text.terms import query_vector
from secondpass.types import Chunk, Entry

BATCH = 4_000
PASSAGE = 220  # characters; two of them make a chunk of about 256 tokens in Chinese


@dataclass(frozen=True)
class Job:
    """One batch of made-up documents of ten chunks."""

    first: int
    count: int
    dimension: int | None


@cache
def texts() -> list[str]:
    return sections()


def make_batch(job: Job) -> list[Entry]:
    choose = random.Random(job.first)
    chunks = []
    for number in range(job.first, job.first + job.count):
        parts = []
        for _ in range(2):
            text = choose.choice(texts())
            start = choose.randrange(max(1, len(text) - PASSAGE))
            parts.append(text[start : start + PASSAGE])
        text = "\n".join(parts)
        doc_id = f"docs/{number // 10}.md"
        chunks.append(Chunk(f"{number:032x}", text, doc_id, number % 10 * 500, number % 10 * 500 + len(text)))
    entries = make_entries(chunks)
    if job.dimension is None:
        return entries
    vectors = np.random.default_rng(job.first).standard_normal((len(entries), job.dimension), dtype=np.float32)
    return [Entry(entry.chunk, entry.terms, vector) for entry, vector in zip(entries, vectors, strict=True)]


def batches(count: int, dimension: int | None) -> Iterator[list[Entry]]:
    jobs = [Job(first, min(BATCH, count - first), dimension) for first in range(0, count, BATCH)]
    if count <= BATCH:
        yield from map(make_batch, jobs)
        return
    with multiprocessing.get_context("spawn").Pool(os.cpu_count()) as pool:
        waiting = [pool.apply_async(make_batch, (job,)) for job in jobs[:4]]
        for number in range(len(jobs)):
            yield waiting.pop(0).get()
            if number + 4 < len(jobs):
                waiting.append(pool.apply_async(make_batch, (jobs[number + 4],)))


def measure(search: Callable[[int], object], count: int) -> tuple[float, float]:
    """Return the median and the 95th percentile of the second time each question is asked, in milliseconds."""
    seconds: list[float] = []
    for warm in (False, True):
        for number in range(count):
            start = time.perf_counter()
            search(number)
            if warm:
                seconds.append(time.perf_counter() - start)
    p50, p95 = np.percentile(seconds, [50, 95]) * 1e3
    return float(p50), float(p95)


def build(folder: Path, count: int, dimension: int | None) -> tuple[float, float]:
    """Build a store of ``count`` chunks; return seconds with the making of the terms, and seconds in the store."""
    start = time.perf_counter()
    inside = 0.0
    store = QdrantEdgeStore(folder, dimension, create=True)
    for entries in batches(count, dimension):
        begun = time.perf_counter()
        store.replace(sorted({entry.chunk.doc_id for entry in entries}), entries)
        inside += time.perf_counter() - begun
    begun = time.perf_counter()
    store.optimize()
    store.close()
    return time.perf_counter() - start, inside + time.perf_counter() - begun


def row(folder: Path, count: int, dimension: int | None, asked: Sequence[str]) -> list[float]:
    index_seconds, store_seconds = build(folder, count, dimension)
    start = time.perf_counter()
    store = QdrantEdgeStore(folder, dimension)
    open_seconds = time.perf_counter() - start
    queries = [query_vector(question) for question in asked]
    p50, p95 = measure(lambda number: store.search_terms(queries[number], 10), len(queries))
    pipeline = Pipeline(BM25Retriever(store), 10, make_reranker(["lexical@3"]))
    whole = measure(lambda number: pipeline.search(asked[number]), len(asked))
    values = [index_seconds, store_seconds, folder_bytes(folder) / 1e6, open_seconds, *whole, p50, p95]
    if dimension is not None:
        vectors = np.random.default_rng(0).standard_normal((50, dimension), dtype=np.float32)
        values += measure(lambda number: store.search_vector(vectors[number], 10), len(vectors))
    else:
        some = sorted({f"docs/{number}.md" for number in range(min(5, count // 20))})
        store.replace(some, [])  # from now on the IDF is counted over the living chunks, at every search
        values += measure(lambda number: store.search_terms(queries[number], 10), len(queries))
    store.close()
    return values


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chunks", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--dimension", type=int)
    parser.add_argument("--folder", type=Path, help="where to build (default: a temporary folder)")
    arguments = parser.parse_args()
    asked = questions()
    print(f"{len(asked)} questions, top 10; {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    last = "vectors" if arguments.dimension else "after deletes"
    print(
        f"{'chunks':>9} {'index s':>8} {'store s':>8} {'disk MB':>8} {'open s':>7} {'search p50':>10} {'p95 ms':>8}"
        f" {'terms p50':>10} {'p95 ms':>8}",
        end="",
    )
    print(f" {last + ' p50':>18} {'p95 ms':>8} {'p50 growth':>11}")
    before = None
    for count in arguments.chunks:
        folder = Path(tempfile.mkdtemp(dir=arguments.folder))
        values = row(folder / "store", count, arguments.dimension, asked)
        growth = f"x{values[4] / before:.2f}" if before else "-"
        before = values[4]
        form = "{:9,} {:8.1f} {:8.1f} {:8.0f} {:7.2f} {:10.2f} {:8.2f} {:10.2f} {:8.2f} {:18.2f} {:8.2f}"
        print(form.format(count, *values), end="")
        print(f" {growth:>11}", flush=True)
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
