"""How fast documents become an index: megabytes and chunks per second, by number of processes.

python benchmarks/index_speed.py --megabytes 30 --processes 1 2
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import tempfile
import time
from pathlib import Path

from index_texts import sections
from secondpass.index.disk import folder_bytes
from secondpass.index.library import create_index, open_index
from secondpass.index.manifest import Manifest
from secondpass.ingest import IngestOptions, IngestReport, index_documents


def write_documents(folder: Path, megabytes: float) -> int:
    """Write Markdown files of five sections each until there are ``megabytes``; return how many files."""
    texts = sections()
    random.Random(1).shuffle(texts)
    folder.mkdir()
    written = files = 0
    while written < megabytes * 1e6:
        parts = [f"## {number + 1}\n\n{texts[(files * 5 + number) % len(texts)]}" for number in range(5)]
        data = "\n\n".join([f"# 文件 {files}", *parts, ""]).encode()
        (folder / f"{files:06}.md").write_bytes(data)
        written += len(data)
        files += 1
    return files


def show(name: str, report: IngestReport) -> None:
    print(
        f"{name:32} {report.total_seconds:7.1f} s {report.megabytes_per_second:7.2f} MB/s "
        f"{report.chunks_per_second:8.0f} chunks/s  " + " ".join(f"{k} {v:.1f}" for k, v in report.seconds.items())
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=float, default=30)
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        files = write_documents(place / "docs", arguments.megabytes)
        print(f"{files} files, {arguments.megabytes:g} MB; {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
        for processes in arguments.processes:
            shutil.rmtree(place / "index", ignore_errors=True)
            manifest = Manifest("sentence-1", {"max_tokens": 256, "overlap_sentences": 0})
            with create_index(place / "index", manifest) as index:
                report = index_documents([place / "docs"], index, IngestOptions(processes=processes))
                show(f"all new, {processes} processes", report)
        start = time.perf_counter()
        with open_index(place / "index") as index:
            print(f"opened in {time.perf_counter() - start:.2f} s; {index.store.count()} chunks")
            show("nothing changed", index_documents([place / "docs"], index))
            for path in sorted((place / "docs").iterdir())[:10]:
                path.write_text(path.read_text(encoding="utf-8") + "\n\n新的一段。\n", encoding="utf-8")
            show("10 files changed", index_documents([place / "docs"], index))
        print(f"on disk: {folder_bytes(place / 'index') / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
