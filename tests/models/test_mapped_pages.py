from __future__ import annotations

import mmap
import sys
from pathlib import Path

import pytest

from secondpass.models.mapped_pages import forget_pages

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="pages are given back on Linux only")
SIZE = 4 * 1024 * 1024


def resident(path: Path) -> int:
    """Return how many kB of a mapped file lie in this process's memory."""
    found, counting = 0, False
    for line in Path("/proc/self/smaps").read_text(encoding="utf-8").splitlines():
        if "-" in line.split(" ", 1)[0]:
            counting = line.endswith(str(path))
        elif counting and line.startswith("Rss:"):
            found += int(line.split()[1])
    return found


@pytest.mark.parametrize("name", ["model.weights", "模型 权重.bin"])
def test_pages_that_were_read_are_given_back_and_read_again(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(bytes(range(256)) * (SIZE // 256))
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        content = bytes(mapped)
        assert resident(path) >= SIZE // 1024
        forget_pages(tmp_path)
        assert resident(path) == 0
        assert bytes(mapped) == content


def test_pages_that_may_have_been_written_and_other_folders_stay(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    for folder in (tmp_path, tmp_path / "a"):
        (folder / "weights").write_bytes(b"x" * SIZE)
    with (tmp_path / "weights").open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY) as changed:
        changed[:SIZE] = b"y" * SIZE
        forget_pages(tmp_path)
        assert bytes(changed) == b"y" * SIZE
    with (tmp_path / "weights").open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        assert bytes(mapped[:2]) == b"xx"
        before = resident(tmp_path / "weights")
        forget_pages(tmp_path / "a")
        assert resident(tmp_path / "weights") == before > 0
