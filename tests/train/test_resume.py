"""A run that was stopped, in whatever way, goes on as if it had not been."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.train.lessons import write_lessons
from tests.train.runs import assert_same_model, metrics, outcome_of, records, run, settings, stopped

from secondpass.errors import InputError, StoreError


@pytest.fixture(scope="module")
def undisturbed(reranker: Path, lessons: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("undisturbed") / "model"
    run(settings(reranker, lessons, output, general=str(lessons / "general.jsonl")))
    return output


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL, signal.SIGTERM])
def test_a_stopped_run_resumed_is_the_undisturbed_one(
    number: signal.Signals, undisturbed: Path, reranker: Path, lessons: Path, tmp_path: Path
) -> None:
    output = tmp_path / "model"
    options = settings(reranker, lessons, output, general=str(lessons / "general.jsonl"))
    assert stopped(options, number, after=7) != 0
    assert not output.exists()
    if number != signal.SIGKILL:
        assert metrics(output)[-1]["text"].endswith("go on with --resume")
    steps: list[int] = []
    run(options, resume=True, listener=lambda record: steps.append(record["step"]))
    assert 6 <= steps[0] <= 11
    assert_same_model(output, undisturbed)
    assert records(output) == records(undisturbed)
    assert outcome_of(output)["verdicts"] == outcome_of(undisturbed)["verdicts"]
    assert [verdict["name"] for verdict in outcome_of(output)["verdicts"]] == ["dev", "general"]


def test_the_best_weights_are_kept_not_the_last(undisturbed: Path, lessons: Path, tmp_path: Path) -> None:
    """A model that has learned is taught the opposite, so that every measurement is worse than the start."""
    rows = [json.loads(line) for line in (lessons / "train.jsonl").read_text(encoding="utf-8").splitlines()]
    wrong = tmp_path / "反的.jsonl"
    lines = [json.dumps(row | {"pos": row["neg"], "neg": row["pos"]}, ensure_ascii=False) + "\n" for row in rows]
    wrong.write_text("".join(lines), encoding="utf-8")
    output = tmp_path / "model"
    outcome = run(settings(undisturbed, lessons, output, train=str(wrong), max_steps=4, evaluate_every=2))
    assert outcome.run.best_step == 0
    assert any("the one that training started from" in note for note in outcome.notes)
    assert_same_model(output, undisturbed)


def test_an_unfinished_run_is_neither_overwritten_nor_resumed_with_other_options(
    reranker: Path, lessons: Path, tmp_path: Path
) -> None:
    given = settings(reranker, lessons, tmp_path / "model", train=str(write_lessons(tmp_path / "train.jsonl")))
    with pytest.raises(InputError, match="no run to resume"):
        run(given, resume=True)
    stopped(given, signal.SIGKILL, after=3)
    with pytest.raises(InputError, match=r"unfinished run in .*; go on with --resume"):
        run(given)
    with pytest.raises(InputError, match="started with other options"):
        run(given | {"learning_rate": 1e-4}, resume=True)
    write_lessons(tmp_path / "train.jsonl", 23)
    with pytest.raises(InputError, match=r"started with other data: .*train\.jsonl"):
        run(given, resume=True)


def test_a_folder_with_something_else_is_not_replaced(reranker: Path, lessons: Path, tmp_path: Path) -> None:
    (tmp_path / "论文").mkdir()
    (tmp_path / "论文" / "草稿.md").write_text("草稿", encoding="utf-8")
    with pytest.raises(InputError, match="not empty and holds no model that was trained here"):
        run(settings(reranker, lessons, tmp_path / "论文"))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "disk"
    place.mkdir()
    if sys.platform != "linux" or os.getuid() != 0:
        pytest.skip("needs root on Linux to mount a small file system")
    command = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(place)]
    if subprocess.run(command, check=False, capture_output=True).returncode != 0:
        pytest.skip("this machine does not permit to mount a file system")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.mark.slow
def test_a_disk_that_fills_leaves_the_checkpoint_before_and_the_run_goes_on(
    small_disk: Path, undisturbed: Path, reranker: Path, lessons: Path
) -> None:
    output = small_disk / "model"
    options = settings(reranker, lessons, output, general=str(lessons / "general.jsonl"))
    assert stopped(options, signal.SIGINT, after=3) != 0
    status = os.statvfs(small_disk)
    filler = small_disk / "filler"
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, status.f_bavail * status.f_frsize - (100 << 10))
    with pytest.raises(StoreError, match=r"the one before is whole\. Make room and go on with --resume"):
        run(options, resume=True)
    filler.unlink()
    run(options, resume=True)
    assert_same_model(output, undisturbed)
    assert records(output) == records(undisturbed)


def test_a_run_that_time_ends_is_measured_at_its_end(reranker: Path, lessons: Path, tmp_path: Path) -> None:
    output = tmp_path / "model"
    run(settings(reranker, lessons, output, minutes=0.02, max_steps=100_000, evaluate_every=90_000))
    measured = [record["step"] for record in records(output) if record["event"] == "dev"]
    assert measured == [0, outcome_of(output)["steps"]]
    assert measured[1] > 0
