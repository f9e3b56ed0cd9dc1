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


@pytest.mark.slow
def test_two_processes_give_the_curve_of_one_and_so_do_two_that_share_the_weights(
    embedder: Path, lessons: Path, tmp_path: Path
) -> None:
    options = settings(embedder, lessons, tmp_path / "one", dropout=0.0, general=str(lessons / "general.jsonl"))
    run(options)
    each, shared = tmp_path / "each", tmp_path / "shared"
    files = [write(options | {"output": str(each), "accumulation": 2}),
             write(options | {"output": str(shared), "shard": True})]  # fmt: skip
    start = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "--standalone"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.getcwd()}
    command = [*start, str(SCRIPT), *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    alone = records(tmp_path / "one")
    assert len(alone) == 12 + 4
    for output in (each, shared):
        for record, expected in zip(records(output), alone, strict=True):
            assert record.keys() == expected.keys()
            assert all(
                math.isclose(record[key], value, abs_tol=1e-4) for key, value in expected.items() if key != "event"
            )
        assert len(outcome_of(output)["verdicts"]) == 2
    resumed = tmp_path / "shared"  # a finished run that is resumed anew, by one process, gives the same model
    before = (resumed / "model.safetensors").read_bytes()
    run(options | {"output": str(shared)}, resume=True)
    assert (resumed / "model.safetensors").read_bytes() == before
    assert_same_model(resumed, shared)


@pytest.mark.slow
def test_language_models_by_lora_and_late_interaction_share_a_step_too(lessons: Path, tmp_path: Path) -> None:
    form = "BAAI/bge-reranker-v2-gemma"
    starts: dict[str, tuple[Path, dict[str, Any]]] = {
        "语言模型": (make_causal(tmp_path / "gemma", "gemma", num_hidden_layers=2), {"profile": form, "lora_rank": 4}),
        "late": (write_pylate(tmp_path / "colbert"), {}),
    }
    shape = {"max_steps": 2, "evaluate_every": 2, "batch_size": 4, "group_size": 3, "dropout": 0.0}
    files, outputs = [], []
    for name, (start, own) in starts.items():
        run(settings(start, lessons, tmp_path / name, **shape, **own))
        for shard in (False, True):
            outputs.append((tmp_path / name, tmp_path / f"{name}-{shard}"))
            files.append(write(settings(start, lessons, outputs[-1][1], shard=shard, **shape, **own)))
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "--standalone", str(SCRIPT)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.getcwd()}
    done = subprocess.run([*command, *map(str, files)], capture_output=True, text=True, timeout=300, check=False,
                          env=environment)  # fmt: skip
    assert done.returncode == 0, done.stderr
    for alone, together in outputs:
        for record, expected in zip(records(together), records(alone), strict=True):
            assert all(
                math.isclose(record[key], value, abs_tol=1e-4) for key, value in expected.items() if key != "event"
            )


def test_what_processes_cannot_share_is_refused(reranker: Path, lessons: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="start them with torchrun"):
        run(settings(reranker, lessons, tmp_path / "model", shard=True))
