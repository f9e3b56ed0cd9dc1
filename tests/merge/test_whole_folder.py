"""A merged folder is there whole or not at all: killed, on a full disk, or while another process writes it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from tests.merge.families import make_family

from secondpass.errors import InputError
from secondpass.merge.merging import plan_merge, write_merge
from secondpass.merge.methods import Mix
from secondpass.merge.parents import open_parent
from secondpass.merge.whole_folder import whole_folder

DISK = 64 << 20
# A merge that stops in the middle of its second file and waits to be killed.
WAITING = """
import sys, time
from pathlib import Path
from secondpass.merge import tensor_files
from secondpass.merge.merging import WriteOptions, plan_merge, write_merge
from secondpass.merge.methods import Mix
from secondpass.merge.parents import open_parent
tensor_files.BLOCK = 1000
def progress(done, total, tensor):
    if done > 30_000:
        print("waiting", flush=True)
        time.sleep(600)
plan = plan_merge(tuple(map(open_parent, sys.argv[1:3])), Mix((0.5, 0.5)), None, WriteOptions(shard_bytes=20_000))
write_merge(plan, Path(sys.argv[3]), progress)
"""


def start(folders: list[Path], target: Path) -> subprocess.Popen[str]:
    arguments = [sys.executable, "-c", WAITING, *map(str, folders[1:3]), str(target)]
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    if process.stdout.readline() != "waiting\n":
        raise AssertionError(process.communicate()[1])
    return process


def merge(folders: list[Path], target: Path) -> Path:
    """Merge the two children in this process."""
    plan = plan_merge(tuple(open_parent(str(folder)) for folder in folders[1:3]), Mix((0.5, 0.5)))
    return write_merge(plan, target)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL on Windows")
def test_a_killed_merge_leaves_no_folder_of_that_name_and_the_next_one_removes_what_is_left(tmp_path: Path):
    folders = make_family(tmp_path / "模型")
    target = tmp_path / "合并"
    process = start(folders, target)
    with pytest.raises(InputError, match="is being written by another process"):
        merge(folders, target)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not target.exists()
    left = next(path for path in tmp_path.iterdir() if path.name.endswith(".part"))
    assert any(left.glob("*.safetensors"))
    merge(folders, target)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["合并", "模型"]
    assert len(load_file(target / "model.safetensors")) == 57


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGINT on Windows")
def test_an_interrupted_merge_leaves_nothing(tmp_path: Path):
    folders = make_family(tmp_path / "models")
    process = start(folders, tmp_path / "merged")
    process.send_signal(signal.SIGINT)
    process.communicate()
    assert [path.name for path in tmp_path.iterdir()] == ["models"]


def test_a_folder_that_is_there_is_never_touched(tmp_path: Path):
    (tmp_path / "成果").mkdir()
    (tmp_path / "成果" / "important.txt").write_text("别动", encoding="utf-8")
    with pytest.raises(InputError, match="exists already"), whole_folder(tmp_path / "成果", 0):
        raise AssertionError
    assert [path.name for path in tmp_path.iterdir()] == ["成果"]
    with whole_folder(tmp_path / "空" / "里", 0) as made:
        (made / "a").write_text("a")
    assert (tmp_path / "空" / "里" / "a").read_text() == "a"


def test_what_fails_while_it_is_written_leaves_nothing(tmp_path: Path):
    def broken() -> None:
        with whole_folder(tmp_path / "merged", 0) as made:
            (made / "a").write_text("a")
            raise ValueError("the model is broken")

    with pytest.raises(ValueError, match="broken"):
        broken()
    assert not list(tmp_path.iterdir())


def test_more_than_there_is_room_for_is_refused_before_anything_is_written(tmp_path: Path):
    with (
        pytest.raises(InputError, match=r"needs 1000000000.02 GB and .* GB are free"),
        whole_folder(tmp_path / "m", 10**18),
    ):
        raise AssertionError
    assert not list(tmp_path.iterdir())


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "disk"
    place.mkdir()
    if sys.platform != "linux" or os.getuid() != 0:
        pytest.skip("needs root on Linux to mount a small file system")
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(place)]
    if subprocess.run(command, check=False, capture_output=True).returncode != 0:
        pytest.skip("this machine does not permit to mount a file system")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def grown(folders: list[Path]) -> list[Path]:
    """Give the models a tensor of 24 MB."""
    for folder in folders:
        large = {"roberta.large.weight": np.ones((6000, 1000), np.float32)}
        save_file(load_file(folder / "model.safetensors") | large, folder / "model.safetensors")
    return folders


def test_a_disk_that_is_too_small_is_one_sentence_and_nothing_is_left(tmp_path: Path, small_disk: Path):
    folders = grown(make_family(tmp_path / "模型"))
    (small_disk / "filler").write_bytes(bytes(DISK - (24 << 20)))
    with pytest.raises(InputError, match=r"GB are free there; free some space, or name another place\."):
        merge(folders, small_disk / "合并")
    assert [path.name for path in small_disk.iterdir()] == ["filler"]


def test_a_disk_that_fills_while_it_is_written_is_one_sentence_and_nothing_is_left(
    tmp_path: Path, small_disk: Path, monkeypatch: pytest.MonkeyPatch
):
    folders = grown(make_family(tmp_path / "models"))
    # As if the room had gone after it was counted.
    monkeypatch.setattr("secondpass.merge.whole_folder._check_room", lambda *_: None)
    (small_disk / "filler").write_bytes(bytes(DISK - (12 << 20)))
    with pytest.raises(InputError, match=r"cannot be written \(No space left on device\); nothing is left of it\."):
        merge(folders, small_disk / "写满")
    assert [path.name for path in small_disk.iterdir()] == ["filler"]
    (small_disk / "filler").unlink()
    assert len(load_file(merge(folders, small_disk / "merged") / "model.safetensors")) == 58
