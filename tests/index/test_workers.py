"""Work in several processes: the same results, in the same order, and no process left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from secondpass.errors import InputError
from secondpass.index.workers import in_order

SCRIPT = r"""
import os, sys, time
from secondpass.index.workers import in_order
def work(number):
    os.write(1, f"{os.getpid()}\n".encode())  # one write: two workers share this pipe
    time.sleep(number)
if __name__ == "__main__":
    list(in_order(work, [0.01, 0.01, 60, 60], 2, 1 << 30))
"""


def double(text: str) -> str:
    time.sleep(0.001 * (len(text) % 5))
    return text * 2


def end_itself(number: int) -> int:
    if number == 3:
        os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
    return number


@pytest.mark.parametrize("processes", [1, 2])
def test_results_come_in_the_order_of_the_tasks(processes: int) -> None:
    tasks = [f"文{number}" for number in range(40)]
    assert list(in_order(double, tasks, processes, 1 << 30)) == [task * 2 for task in tasks]


def test_little_work_is_done_here() -> None:
    assert list(in_order(lambda number: (number, os.getpid()), [1], 8, 1000)) == [(1, os.getpid())]


def test_a_process_that_is_killed_is_named() -> None:
    with pytest.raises(InputError, match="A worker process ended"):
        list(in_order(end_itself, range(10), 2, 1 << 30))


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_killing_the_parent_ends_its_workers(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())
        parent.kill()
    deadline = time.monotonic() + 20
    while _runs(worker) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _runs(worker)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{process}/stat")
    return not (status.exists() and status.read_text().rsplit(")", 1)[1].split()[0] == "Z")
