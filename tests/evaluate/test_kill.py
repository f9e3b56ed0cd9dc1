"""An evaluation that is killed at any moment goes on where it was, and ends as one that nobody disturbed."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from tests.evaluate.small_tasks import make_task, write_task

from secondpass.evaluate.outcome_store import FILE_NAME

QUESTIONS = 160
SYSTEMS = ("--rerank", "lexical", "--rerank", "lexical@20>lexical@5")


def command(folder: Path, work: str, out: str) -> list[str]:
    named = ["--work", str(folder / work), "--out", str(folder / out), "--worst", "2"]
    return [sys.executable, "-m", "secondpass", "evaluate", str(folder / "任务"), *SYSTEMS, *named]


def rows(path: Path) -> int:
    """Count what is kept so far; another process may be writing."""
    if not path.exists():
        return 0
    try:
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5) as database:
            return int(database.execute("SELECT count(*) FROM outcomes").fetchone()[0])
    except sqlite3.Error:
        return 0


def kill_after(folder: Path, outcomes: int) -> int:
    """Run until so many outcomes are kept, kill the process, and return how many there are then."""
    store = folder / "killed" / FILE_NAME
    process = subprocess.Popen(
        command(folder, "killed", "killed.json"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 60
    while rows(store) < outcomes and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait(timeout=30) == -signal.SIGKILL
    assert not (folder / "killed.json").exists()
    return rows(store)


def without_times(path: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    del report["created"], report["machine"]
    for task in report["tasks"]:
        for system in task["systems"]:
            for name in ("p50_ms", "p95_ms", "pairs_per_second"):
                (system["cost"] or {}).pop(name, None)
    return report


@pytest.mark.slow
def test_a_killed_evaluation_goes_on_and_ends_as_an_undisturbed_one(tmp_path: Path) -> None:
    write_task(make_task(QUESTIONS, listed=30), tmp_path / "任务")
    total = QUESTIONS * 3  # BM25 and two systems
    kept = [kill_after(tmp_path, share * total // 5) for share in (2, 4)]
    assert kept == sorted(kept)
    assert kept[0] > 0
    assert kept[-1] < total
    resumed = subprocess.run(command(tmp_path, "killed", "killed.json"), capture_output=True, text=True, check=False)
    assert resumed.returncode == 0, resumed.stderr
    assert "questions are known from before" in resumed.stderr
    undisturbed = subprocess.run(command(tmp_path, "whole", "whole.json"), capture_output=True, text=True, check=False)
    assert undisturbed.returncode == 0, undisturbed.stderr
    assert without_times(tmp_path / "killed.json") == without_times(tmp_path / "whole.json")
    assert rows(tmp_path / "killed" / FILE_NAME) == total
    # What was known keeps its times, too.
    again = subprocess.run(command(tmp_path, "killed", "again.json"), capture_output=True, text=True, check=False)
    first, second = (json.loads((tmp_path / f"{name}.json").read_text("utf-8")) for name in ("killed", "again"))
    assert again.returncode == 0
    assert first["tasks"] == second["tasks"]
