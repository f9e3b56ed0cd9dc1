"""Files of lines, in and out."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from secondpass.data.lines import read_lines, write_whole
from secondpass.errors import InputError


def test_lines_are_numbered_and_blank_ones_left_out(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes("\ufeff一\n\n  \n三\r\n".encode())
    assert [(number, line.strip()) for number, line in read_lines(str(path))] == [(1, "一"), (4, "三")]


def test_gzipped_files_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress("西安\n".encode()))
    assert list(read_lines(str(path))) == [(1, "西安\n")]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("missing.jsonl", None, "No such file"),
        ("wrong.jsonl", "西安".encode("gb18030"), "not UTF-8"),
        ("cut.jsonl.gz", gzip.compress(os.urandom(4096).hex().encode())[:2000], "cannot be read"),
        ("plain.jsonl.gz", b"{}\n", "cannot be read"),
    ],
)
def test_a_file_that_cannot_be_read_gives_one_sentence(
    tmp_path: Path, name: str, content: bytes | None, said: str
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=said):
        list(read_lines(str(path)))


def test_a_file_takes_its_name_only_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    path.write_text("before", encoding="utf-8")

    def fail() -> None:
        with write_whole(str(path)) as output:
            output.write("half")
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail()
    assert path.read_text(encoding="utf-8") == "before"
    with write_whole(str(path)) as output:
        output.write("西安")
    assert path.read_text(encoding="utf-8") == "西安"
    assert os.listdir(tmp_path) == ["out.jsonl"]


def test_a_place_that_cannot_be_written_gives_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be written"), write_whole(str(tmp_path / "no" / "out")) as output:
        output.write("x")
