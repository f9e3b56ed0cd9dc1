"""A real small disk, filled for real: one sentence, nothing broken, and the next run completes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from secondpass.index.library import create_index, open_index
from secondpass.index.manifest import Manifest
from secondpass.ingest import IngestReport, index_documents

SCRIPT = """
import sys
from pathlib import Path
from secondpass.errors import StoreError
from secondpass.index import disk, library
from secondpass import ingest
ingest._BATCH_CHUNKS = 300
if "--careless" in sys.argv:
    disk.RESERVE_BYTES = -(1 << 40)
place = Path(sys.argv[1])
try:
    with library.open_index(place / "index") as index:
        report = ingest.index_documents([place / "docs"], index)
except StoreError as error:
    sys.exit(str(error))
print(report.added)
"""
DOCUMENTS = 60


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "disk"
    place.mkdir()
    if sys.platform != "linux" or os.getuid() != 0:
        pytest.skip("needs root on Linux to mount a small file system")
    command = ["mount", "-t", "tmpfs", "-o", "size=320m", "tmpfs", str(place)]
    if subprocess.run(command, check=False, capture_output=True).returncode != 0:
        pytest.skip("this machine does not permit to mount a file system")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def prepare(place: Path) -> None:
    (place / "docs").mkdir()
    for number in range(DOCUMENTS):
        lines = (f"第{number}号文件第{line}段，编号{number * 7919 + line}，说的是西安。" for line in range(400))
        (place / "docs" / f"{number:03}.md").write_text("\n\n".join(lines), encoding="utf-8")
    create_index(place / "index", Manifest("sentence-1", {"max_tokens": 16, "overlap_sentences": 0})).close()


def run(place: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", SCRIPT, str(place), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def fill(place: Path, leave_bytes: int) -> Path:
    status = os.statvfs(place)
    filler = place / "filler"
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, status.f_bavail * status.f_frsize - leave_bytes)
    return filler


def finish(place: Path) -> IngestReport:
    with open_index(place / "index") as index:
        report = index_documents([place / "docs"], index)
        assert index.catalogue.counts()[0] == DOCUMENTS
        assert index.store.count() == index.catalogue.counts()[1]
        assert index.unfinished() == []
        for record in index.catalogue.records():
            assert len(index.store.chunks_of(record.doc_id)) == record.chunk_count
    return report


@pytest.mark.slow
def test_a_disk_that_fills_ends_in_one_sentence_and_the_next_run_completes(small_disk: Path) -> None:
    prepare(small_disk)
    filler = fill(small_disk, leave_bytes=200 << 20)
    ended = run(small_disk)
    assert ended.returncode == 1, ended.stderr
    assert ended.stderr.startswith("Only ")
    assert ended.stderr.rstrip().endswith("what was done is kept: free space and run again.")
    assert ended.stderr.count("\n") == 1
    with open_index(small_disk / "index") as index:
        kept = index.catalogue.counts()[0]
    assert 0 < kept < DOCUMENTS
    filler.unlink()
    report = finish(small_disk)
    assert (report.unchanged, report.added) == (kept, DOCUMENTS - kept)


@pytest.mark.slow
def test_even_where_another_program_takes_the_last_room_the_index_survives(small_disk: Path) -> None:
    prepare(small_disk)
    filler = fill(small_disk, leave_bytes=24 << 20)
    ended = run(small_disk, "--careless")  # as if the room had gone after it was counted
    assert ended.returncode != 0
    filler.unlink()
    finish(small_disk)
