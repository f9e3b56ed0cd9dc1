"""Two processes compute what one computes with the same questions a step."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.models.colbert_checkpoints import write_pylate
from tests.models.tiny_causal import make_causal
from tests.train.runs import assert_same_model, outcome_of, records, run, settings, write

from secondpass.errors import InputError

SCRIPT = Path(__file__).with_name("process.py")
LONGEST_SECONDS = 1200
"""A limit for processes that wait for each other for ever; a busy machine takes minutes for what else takes seconds."""
Options = dict[str, Any]


@pytest.fixture(scope="module")
def starts(embedder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Options]]:
    """A model of every family, with what its run is told."""
    place = tmp_path_factory.mktemp("起点")
    small = {"max_steps": 2, "evaluate_every": 2, "batch_size": 4, "group_size": 3, "dropout": 0.0}
    causal = {"profile": "BAAI/bge-reranker-v2-gemma", "lora_rank": 4}
    return {
        "encoder": (embedder, {"max_steps": 4, "evaluate_every": 2, "dropout": 0.0}),
        "语言模型": (make_causal(place / "gemma", "gemma", num_hidden_layers=2), small | causal),
        "late": (write_pylate(place / "colbert"), small | {"hardest_of": 4}),
    }


@pytest.fixture(scope="module")
def together(starts: dict[str, tuple[Path, Options]], lessons: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with every family's run by one process, `NAME`, and by two, `NAME-each` and `NAME-shared`.

    The two are started once for all of their runs: starting them takes longer than what they do.
    """
    place = tmp_path_factory.mktemp("together")
    files = []
    for name, (start, own) in starts.items():
        general = {"general": str(lessons / "general.jsonl")} if name == "encoder" else {}
        run(settings(start, lessons, place / name, **own, **general))
        for way, more in (("each", {"accumulation": 2}), ("shared", {"shard": True})):
            files.append(write(settings(start, lessons, place / f"{name}-{way}", **own, **general, **more)))
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "--standalone", str(SCRIPT)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.getcwd()}
    done = subprocess.run([*command, *map(str, files)], capture_output=True, text=True, timeout=LONGEST_SECONDS,
                          check=False, env=environment)  # fmt: skip
    assert done.returncode == 0, done.stderr
    return place


def is_near(found: Any, expected: Any) -> bool:
    """Say whether a figure of a run by two is that of a run by one."""
    return found is None if expected is None else math.isclose(found, expected, abs_tol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("way", ["each", "shared"])
@pytest.mark.parametrize("name", ["encoder", "语言模型", "late"])
def test_two_processes_give_the_curve_of_one_and_so_do_two_that_share_the_weights(
    name: str, way: str, together: Path
) -> None:
    alone, found = records(together / name), records(together / f"{name}-{way}")
    assert [record["event"] for record in alone].count("dev") == (3 if name == "encoder" else 2)
    for record, expected in zip(found, alone, strict=True):
        assert record.keys() == expected.keys()
        assert all(is_near(record[key], value) for key, value in expected.items() if key != "event")
    assert len(outcome_of(together / f"{name}-{way}")["verdicts"]) == (2 if name == "encoder" else 1)


@pytest.mark.slow
def test_a_finished_run_of_two_that_one_process_resumes_gives_the_same_model(
    starts: dict[str, tuple[Path, Options]], lessons: Path, together: Path, tmp_path: Path
) -> None:
    output = together / "encoder-shared"
    before = tmp_path / "before"
    output.rename(before)
    start, own = starts["encoder"]
    run(settings(start, lessons, output, **own, general=str(lessons / "general.jsonl"), shard=False), resume=True)
    assert_same_model(output, before)


def test_what_processes_cannot_share_is_refused(reranker: Path, lessons: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="start them with torchrun"):
        run(settings(reranker, lessons, tmp_path / "model", shard=True))
