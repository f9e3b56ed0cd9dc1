import os

import pytest

from secondpass.errors import InputError
from secondpass.load.options import WebOptions
from secondpass.load.reading import read
from secondpass.load.sources import Source


def _source(path):
    return Source(str(path), path.name, None, None)


def test_a_file_is_read_with_the_kind_of_its_name(tmp_path):
    path = tmp_path / "说明.MD"
    path.write_bytes("文字".encode())
    payload = read(_source(path), WebOptions())
    assert (payload.data, payload.media_type, payload.charset) == ("文字".encode(), "text/markdown", None)


def test_a_file_that_grew_over_the_limit_is_refused(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"x" * 11)
    assert len(read(_source(path), WebOptions(max_bytes=11)).data) == 11
    with pytest.raises(InputError, match="more than the limit"):
        read(_source(path), WebOptions(max_bytes=10))


def test_a_file_that_disappeared_is_an_error_of_one_sentence(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        read(_source(tmp_path / "没有.md"), WebOptions())


def test_a_file_that_became_a_pipe_or_folder_does_not_hang(tmp_path):
    os.mkfifo(tmp_path / "pipe.md")
    with pytest.raises(InputError, match="not a file with content"):
        read(_source(tmp_path / "pipe.md"), WebOptions())
    with pytest.raises(InputError):
        read(_source(tmp_path), WebOptions())
