"""Kill indexing with SIGKILL at random moments, go on, and compare the end with an undisturbed run.

python benchmarks/kill_index.py --kills 50

After every kill the index must open, hold every document that was reported done, whole, and find it. At the end it must
hold the same chunks and give the same scores as an index that was never disturbed. Exits with 1 where that fails.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from secondpass import ingest, preparation
from secondpass.errors import StoreError
from secondpass.index import qdrant_edge as edge
from secondpass.index import workers
from secondpass.index.library import Index, create_index, is_index, open_index
from secondpass.index.manifest import Manifest
from secondpass.ingest import IngestOptions, index_documents
from secondpass.text.terms import query_vector

MANIFEST = {"max_tokens": 64, "overlap_sentences": 0}
QUESTIONS = ["西安交通大学", "密码哈希算法", "绿茶 发酵", "password hash", "history of tea", "合并 学校 2000"]
SUBJECTS = ["西安交通大学", "密码哈希算法", "绿茶的发酵", "The password hash", "History of tea", "三所学校"]
VERBS = ["合并了", "推荐使用", "记录于", "explains", "was merged with", "需要"]
OBJECTS = ["2000年的国务院决定。", "Argon2。", "一篇教程。", "the old library.", "a new department.", "更多的水。"]


def write_documents(folder: Path, count: int, seed: int) -> None:
    """Write ``count`` Chinese and English files; the same seed writes the same."""
    choose = random.Random(seed)
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        lines = [f"# 文件 {number}"] + [
            f"{choose.choice(SUBJECTS)} {choose.choice(VERBS)} {choose.choice(OBJECTS)} {choose.random()}"
            for _ in range(choose.randrange(5, 120))
        ]
        (folder / f"文{number:04}.md").write_text("\n\n".join(lines), encoding="utf-8")


class PrintDone:
    """Print every document that is reported done."""

    def start(self, files: int, size_bytes: int) -> None: ...
    def message(self, text: str) -> None: ...

    def advance(self, doc_ids: Sequence[str], size_bytes: int) -> None:  # noqa: ARG002
        print(json.dumps(list(doc_ids)), flush=True)


def open_or_create(folder: Path) -> Index:
    if is_index(folder):
        return open_index(folder)
    return create_index(folder, Manifest("sentence-1", MANIFEST))


def run_child(index: Path, documents: Path, processes: int) -> None:
    """Index, in the process that is going to be killed; small batches, so that there are many moments."""
    ingest._BATCH_CHUNKS, preparation._UNIT_FILES = 150, 4
    edge._OPTIMIZE_EVERY, workers._WORTH_BYTES = 1000, 0
    with open_or_create(index) as opened:
        index_documents([documents], opened, IngestOptions(processes=processes), progress=PrintDone())


@dataclass
class Kill:
    """What one killed run had done."""

    finished: bool
    reported: set[str]


def run_and_kill(index: Path, documents: Path, processes: int, after_seconds: float) -> Kill:
    command = [sys.executable, __file__, "--child", str(index), str(documents), "--processes", str(processes)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)
    try:
        output, _ = child.communicate(timeout=after_seconds)
    except subprocess.TimeoutExpired:
        os.kill(child.pid, signal.SIGKILL)
        output, _ = child.communicate()
    if child.returncode not in (0, -signal.SIGKILL):
        raise SystemExit(f"the child ended with {child.returncode}")
    whole_lines = output.decode().splitlines() if output.endswith(b"\n") else output.decode().splitlines()[:-1]
    return Kill(child.returncode == 0, {doc_id for line in whole_lines for doc_id in json.loads(line)})


def snapshot(index: Index) -> dict[str, list[tuple[str, str]]]:
    """Return all chunks (id and text) of all documents."""
    return {
        record.doc_id: [(chunk.id, chunk.text) for chunk in index.store.chunks_of(record.doc_id)]
        for record in index.catalogue.records()
    }


def answers(index: Index) -> list[list[tuple[str, float]]]:
    found = [index.store.search_terms(query_vector(question), 20) for question in QUESTIONS]
    return [[(chunk.id, score) for chunk, score in hits] for hits in found]


def differ(got: list[list[tuple[str, float]]], wanted: list[list[tuple[str, float]]]) -> str:
    """Return the first question whose scores differ by more than float32 rounding, or nothing."""
    for question, found, expected in zip(QUESTIONS, got, wanted, strict=True):
        scores = [score for _, score in found], [score for _, score in expected]
        if len(found) != len(expected) or any(abs(a - b) > 1e-5 * b for a, b in zip(*scores, strict=True)):
            return f"{question}: {found[:3]} and not {expected[:3]}"
    return ""


def check_reported(index: Index, reported: set[str], wanted: dict[str, list[tuple[str, str]]]) -> None:
    """Check that everything that was reported done is there, whole."""
    for doc_id in reported:
        chunks = [(chunk.id, chunk.text) for chunk in index.store.chunks_of(doc_id)]
        document = index.document(doc_id)
        if document is None or chunks != wanted[doc_id]:
            raise SystemExit(
                f"LOST: {doc_id} was reported done; {len(chunks)} of {len(wanted[doc_id])} chunks are there"
            )


def torture(kills: int, seed: int, processes: int, documents: int) -> dict[str, float]:
    """Kill ``kills`` times and return what was seen; raise SystemExit where something is lost or differs."""
    choose = random.Random(seed)
    # Documents lie beside the index in both places, so that their ids and so their chunks are the same.
    with tempfile.TemporaryDirectory() as place:
        calm, rough = Path(place, "calm"), Path(place, "rough")
        write_documents(calm / "docs", documents, seed)
        start_over(rough, processes, documents, seed, update=False)
        start = time.perf_counter()
        finished = run_and_kill(calm / "index", calm / "docs", processes, 600)
        whole_seconds = time.perf_counter() - start
        if not finished.finished:
            raise SystemExit("the undisturbed run did not end in 10 minutes")
        with open_index(calm / "index") as index:
            wanted, wanted_answers = snapshot(index), answers(index)
        counts = {"kills": 0.0, "in creation": 0.0, "with unfinished documents": 0.0, "runs to the end": 0.0}
        while counts["kills"] < kills:
            killed = run_and_kill(rough / "index", rough / "docs", processes, choose.uniform(0.1, 0.8 * whole_seconds))
            counts["runs to the end" if killed.finished else "kills"] += 1
            if not is_index(rough / "index"):
                counts["in creation"] += 1
                continue
            with open_index(rough / "index") as index:
                counts["with unfinished documents"] += bool(index.unfinished())
                check_reported(index, killed.reported, wanted)
            if killed.finished:
                compare(rough / "index", wanted, wanted_answers)
                start_over(rough, processes, documents, seed, update=choose.random() < 0.5)
        run_and_kill(rough / "index", rough / "docs", processes, 600)
        compare(rough / "index", wanted, wanted_answers)
        return counts | {"undisturbed seconds": whole_seconds, "chunks": sum(map(len, wanted.values()))}


def start_over(rough: Path, processes: int, documents: int, seed: int, update: bool) -> None:
    """Throw the index away; for ``update`` make it anew from other documents, so that what follows replaces them."""
    shutil.rmtree(rough, ignore_errors=True)
    if update:
        write_documents(rough / "docs", documents + 40, seed + 1)
        run_and_kill(rough / "index", rough / "docs", processes, 600)
        shutil.rmtree(rough / "docs")
    write_documents(rough / "docs", documents, seed)


def compare(
    folder: Path, wanted: dict[str, list[tuple[str, str]]], wanted_answers: list[list[tuple[str, float]]]
) -> None:
    with open_index(folder) as index:
        if snapshot(index) != wanted or index.unfinished():
            raise SystemExit("DIFFERENT: the chunks are not those of the undisturbed run")
        if index.store.count() != sum(map(len, wanted.values())):
            raise SystemExit(f"DUPLICATES: {index.store.count()} chunks, not {sum(map(len, wanted.values()))}")
        if difference := differ(answers(index), wanted_answers):
            raise SystemExit(f"DIFFERENT: the answers are not those of the undisturbed run: {difference}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--documents", type=int, default=300)
    parser.add_argument("--child", nargs=2, metavar=("INDEX", "DOCUMENTS"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        try:
            run_child(Path(arguments.child[0]), Path(arguments.child[1]), arguments.processes)
        except StoreError as error:
            raise SystemExit(f"{error}") from None
        return
    for name, value in torture(arguments.kills, arguments.seed, arguments.processes, arguments.documents).items():
        print(f"{name:28} {value:g}")


if __name__ == "__main__":
    main()
