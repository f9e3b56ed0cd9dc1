"""Runs here and in processes of their own, and what they leave behind."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import time
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from tests.train.process import teach

from secondpass.train.metrics import Listener
from secondpass.train.options import make_options
from secondpass.train.run import Outcome, run_training

_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload(["tests.train.process"])


def settings(model: Path, lessons: Path, output: Path, **more: Any) -> dict[str, Any]:
    """Return options of a short run."""
    return {
        "model": str(model), "train": str(lessons / "train.jsonl"), "dev": str(lessons / "dev.jsonl"),
        "output": str(output), "max_steps": 12, "batch_size": 6, "group_size": 4, "learning_rate": 2e-3,
        "precision": "f32", "evaluate_every": 4, "checkpoint_minutes": 0.0,
    } | more  # fmt: skip


def write(options: dict[str, Any]) -> Path:
    """Write options beside the output."""
    path = Path(f"{options['output']}.json")
    path.write_text(json.dumps(options), encoding="utf-8")
    return path


def unheard(_: dict[str, Any]) -> None:
    """Hear nothing."""


def run(options: dict[str, Any], resume: bool = False, listener: Listener = unheard) -> Outcome:
    """Run here, to the end."""
    outcome = run_training(make_options(options, "test"), listener, resume)
    assert outcome is not None
    return outcome


def stopped(options: dict[str, Any], number: signal.Signals, after: int) -> int:
    """Start a run in a process, send it a signal once it has taken ``after`` steps; return its exit code."""
    path = write(options | {"pause": 0.1})
    process = _PROCESSES.Process(target=teach, args=(str(path), False))
    process.start()
    assert process.pid is not None
    until = time.monotonic() + 120
    while process.is_alive() and time.monotonic() < until:
        if any(record.get("step") == after for record in records(Path(options["output"]))):
            os.kill(process.pid, number)
            break
        time.sleep(0.02)
    process.join(120)
    assert process.exitcode is not None
    return process.exitcode


def metrics(output: Path) -> list[dict[str, Any]]:
    """Return everything that a run's metrics say."""
    path = Path(f"{output}.run") / "metrics.jsonl"
    lines = path.read_text(encoding="utf-8").split("\n")[:-1] if path.is_file() else []
    return [json.loads(line) for line in lines]


def records(output: Path) -> list[dict[str, Any]]:
    """Return steps and measurements, without what differs between two runs of the same."""
    kept = [record for record in metrics(output) if record["event"] in {"step", "dev"}]
    return [{key: value for key, value in record.items() if key != "seconds"} for record in kept]


def outcome_of(output: Path) -> dict[str, Any]:
    """Return what a run wrote at its end."""
    found: dict[str, Any] = json.loads((Path(f"{output}.run") / "outcome.json").read_text(encoding="utf-8"))
    return found


def assert_same_model(one: Path, other: Path) -> None:
    """Check that two folders hold the same weights, bit for bit."""
    weights, others = load_file(one / "model.safetensors"), load_file(other / "model.safetensors")
    assert weights.keys() == others.keys()
    for name, value in weights.items():
        assert torch.equal(value, others[name]), name
