"""Killed at any moment, indexing goes on where it was; the long form is benchmarks/kill_index.py."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest

from secondpass.errors import StoreError
from secondpass.index.library import open_index

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "kill_index.py"


@pytest.fixture(scope="module")
def kill_index() -> ModuleType:
    specification = importlib.util.spec_from_file_location("kill_index", SCRIPT)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules["kill_index"] = module
    specification.loader.exec_module(module)
    return module


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 2])
def test_killed_runs_lose_nothing_and_end_as_an_undisturbed_one(kill_index: ModuleType, processes: int) -> None:
    counts = kill_index.torture(kills=4, seed=processes, processes=processes, documents=80)
    assert counts["kills"] == 4
    assert counts["chunks"] > 500


def test_the_second_of_two_processes_says_who_is_first(kill_index: ModuleType, tmp_path: Path) -> None:
    kill_index.write_documents(tmp_path / "docs", 30, seed=3)
    command = [sys.executable, str(SCRIPT), "--child", str(tmp_path / "index"), str(tmp_path / "docs")]
    with kill_index.open_or_create(tmp_path / "index"):
        second = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert second.returncode == 1
    assert "is in use by process" in second.stderr
    assert second.stderr.count("\n") == 1
    assert "Traceback" not in second.stderr


def test_two_processes_at_once_leave_a_whole_index(kill_index: ModuleType, tmp_path: Path) -> None:
    kill_index.write_documents(tmp_path / "docs", 60, seed=4)
    command = [sys.executable, str(SCRIPT), "--child", str(tmp_path / "index"), str(tmp_path / "docs")]
    with kill_index.open_or_create(tmp_path / "index"):
        pass
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    errors = [process.communicate(timeout=60)[1] for process in both]
    assert 0 in [process.returncode for process in both]
    for process, error in zip(both, errors, strict=True):
        assert process.returncode == 0 or "is in use by process" in error
    with open_index(tmp_path / "index") as index:
        assert index.catalogue.counts()[0] == 60


def test_a_searcher_waits_for_a_short_while_and_then_says_who_is_in(kill_index: ModuleType, tmp_path: Path) -> None:
    with kill_index.open_or_create(tmp_path / "index"):
        start = time.perf_counter()
        with pytest.raises(StoreError, match=r"in use by process \d+ \(.+\).*waited 0.3 s"):
            open_index(tmp_path / "index", lock_timeout_seconds=0.3)
        assert 0.25 < time.perf_counter() - start < 5
