import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from secondpass.errors import InputError
from secondpass.load.sources import Skipped, Source, find_sources, normalize_url


def _split(roots, base, **options):
    found = list(find_sources(roots, base, **options))
    return [s for s in found if isinstance(s, Source)], [s for s in found if isinstance(s, Skipped)]


def test_a_folder_is_walked_in_the_order_of_names_and_ids_are_relative_to_the_base(tmp_path):
    for name in ("b.md", "a/二.txt", "a/一.md", "c.html"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("文字", encoding="utf-8")
    sources, skipped = _split([tmp_path], tmp_path)
    assert [s.doc_id for s in sources] == ["a/一.md", "a/二.txt", "b.md", "c.html"]
    assert not skipped
    assert sources[0].location == str(tmp_path / "a" / "一.md")
    assert sources[0].size == 6
    assert sources[0].modified_ns == (tmp_path / "a" / "一.md").stat().st_mtime_ns


def test_a_file_outside_the_base_has_its_whole_path_as_id(tmp_path):
    (tmp_path / "base").mkdir()
    outside = tmp_path / "说明.md"
    outside.write_text("文字")
    sources, _ = _split([outside], tmp_path / "base")
    assert sources[0].doc_id == outside.as_posix()


def test_hidden_files_and_the_index_folder_are_left_out(tmp_path):
    for name in (".secondpass/x.md", ".git/y.md", ".hidden.md", "seen.md"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("x")
    sources, skipped = _split([tmp_path], tmp_path)
    assert [s.doc_id for s in sources] == ["seen.md"]
    assert not skipped


def test_unknown_and_old_kinds_are_skipped_with_advice(tmp_path):
    for name in ("a.doc", "b.exe", "c", "D.PDF"):
        (tmp_path / name).write_bytes(b"x")
    sources, skipped = _split([tmp_path], tmp_path)
    assert [s.doc_id for s in sources] == ["D.PDF"]
    reasons = {Path(s.location).name: s.reason for s in skipped}
    assert "save it as .docx" in reasons["a.doc"]
    assert ".md" in reasons["b.exe"]
    assert "no ending" in reasons["c"]


def test_a_huge_file_is_skipped_with_its_size_and_the_limit(tmp_path):
    with (tmp_path / "巨大.txt").open("wb") as file:
        file.truncate(200 * 2**20)
    sources, skipped = _split([tmp_path], tmp_path)
    assert not sources
    assert "200.0 MB" in skipped[0].reason
    assert "50 MB" in skipped[0].reason
    assert "raise the limit" in skipped[0].reason


def test_a_loop_of_links_ends_and_is_reported_once(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "x.md").write_text("x")
    (tmp_path / "a" / "b" / "back").symlink_to(tmp_path / "a")
    sources, skipped = _split([tmp_path], tmp_path)
    assert [s.doc_id for s in sources] == ["a/x.md"]
    assert len(skipped) == 1
    assert "link back to" in skipped[0].reason


def test_links_are_followed_and_a_file_reached_twice_is_given_once(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "x.md").write_text("x")
    (tmp_path / "zlink").symlink_to(tmp_path / "real")
    (tmp_path / "zz.md").symlink_to(tmp_path / "real" / "x.md")
    sources, skipped = _split([tmp_path, tmp_path / "real" / "x.md"], tmp_path)
    assert [s.doc_id for s in sources] == ["real/x.md"]
    assert not skipped


def test_many_links_to_one_folder_do_not_multiply_the_walk(tmp_path):
    for level in range(25):  # 2^25 ways lead to the bottom
        (tmp_path / f"d{level}").mkdir()
    for level in range(24):
        for side in "ab":
            (tmp_path / f"d{level}" / side).symlink_to(tmp_path / f"d{level + 1}")
    (tmp_path / "d24" / "x.md").write_text("x")
    sources, skipped = _split([tmp_path], tmp_path)
    assert len(sources) == 1
    assert not skipped


def test_broken_links_and_links_to_themselves_are_skipped_with_a_reason(tmp_path):
    (tmp_path / "gone.md").symlink_to(tmp_path / "nowhere.md")
    (tmp_path / "self.md").symlink_to(tmp_path / "self.md")
    _, skipped = _split([tmp_path], tmp_path)
    reasons = {Path(s.location).name: s.reason for s in skipped}
    assert "does not exist" in reasons["gone.md"]
    assert "leads nowhere" in reasons["self.md"]


def test_pipes_and_sockets_are_skipped_without_being_opened(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe.md")
    monkeypatch.chdir(tmp_path)  # the path of a socket must be short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.md")
        sources, skipped = _split([tmp_path], tmp_path)
    assert not sources
    assert "a pipe" in skipped[0].reason
    assert "a socket" in skipped[1].reason


def test_an_empty_folder_gives_nothing(tmp_path):
    assert list(find_sources([tmp_path], tmp_path)) == []


def test_a_missing_root_raises_at_once_with_the_nearest_name(tmp_path):
    (tmp_path / "handbook").mkdir()
    with pytest.raises(InputError, match="Did you mean 'handbook'"):
        find_sources([tmp_path / "handbok"], tmp_path)
    with pytest.raises(InputError, match="nor a folder"):
        find_sources([tmp_path / "没有" / "x"], tmp_path)


def test_a_name_that_is_not_utf8_is_skipped(tmp_path):
    try:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xd6\xd0.md")).write_bytes(b"x")
    except OSError:
        pytest.skip("this file system takes only names in UTF-8")
    sources, skipped = _split([tmp_path], tmp_path)
    assert not sources
    assert "not valid UTF-8" in skipped[0].reason
    skipped[0].location.encode("utf-8")


def test_addresses_are_given_once_in_one_spelling(tmp_path):
    sources, _ = _split(["HTTPS://Example.org:443/a#b", "https://example.org/a"], tmp_path)
    assert [s.doc_id for s in sources] == ["https://example.org/a"]
    assert normalize_url("http://[::1]:8080") == "http://[::1]:8080/"


@pytest.mark.parametrize("url", ["http://", "https://user:secret@host/", "http://host:99999999/", "http://[::1"])
def test_an_address_that_is_none_raises_without_showing_a_password(url, tmp_path):
    with pytest.raises(InputError) as caught:
        find_sources([url], tmp_path)
    assert "secret" not in str(caught.value)


_AS_NOBODY = """
import os, sys
from pathlib import Path
from secondpass.load.sources import find_sources  # before the rights that reading it takes are gone
if os.getuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
for found in find_sources([sys.argv[1]], Path(sys.argv[1])):
    print(type(found).__name__, Path(found.location).name, getattr(found, "reason", ""), sep="|")
"""


def test_what_may_not_be_read_is_skipped_with_a_reason():
    # Root may read everything: there, the walk is done by a child that has given up its rights. pytest's own folder is
    # closed to others, so this one has its own.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "open.md").write_text("x")
        (folder / "closed.md").write_text("秘密")
        (folder / "closed").mkdir()
        for path, mode in ((folder / "closed.md", 0), (folder / "closed", 0), (folder, 0o755)):
            path.chmod(mode)
        done = subprocess.run(
            [sys.executable, "-c", _AS_NOBODY, name], capture_output=True, text=True, check=False, timeout=60
        )
        (folder / "closed").chmod(0o755)
    assert done.returncode == 0, done.stderr
    lines = dict(line.split("|", 1)[1].split("|", 1) for line in done.stdout.splitlines())
    assert "cannot be listed" in lines["closed"]
    assert "permission denied" in lines["closed.md"]
    assert lines["open.md"] == ""
