"""The cache of graphs keeps its bounds, and never takes what is in use."""

import os
import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.models.encoder_folders import batch_of, make_encoder

from secondpass.errors import InputError
from secondpass.models import engine_cache
from secondpass.models.engine import EngineOptions
from secondpass.models.engine_cache import CachedGraph, cached_graphs, clean, surplus
from secondpass.models.engine_files import made_once
from secondpass.models.onnx import OnnxEngine

DAY = 86_400.0
NOW = 1_000 * DAY
LONG_AGO = 1e9


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SECONDPASS_CACHE", str(tmp_path / "缓存"))
    return tmp_path / "缓存" / "engines"


def made(name, size=1000, used_at=None):
    def fill(folder):
        (folder / "model.weights").write_bytes(bytes(size))

    folder = made_once(name, fill)
    if used_at is not None:
        os.utime(folder, (used_at, used_at))
    return folder


graphs = st.lists(st.tuples(st.integers(0, 10**9), st.floats(0, 200), st.booleans()), max_size=12)


@given(graphs, st.floats(0, 5), st.floats(0, 100))
def test_what_stays_fits_and_is_used_later_than_what_goes(tmp_path_factory, rows, gigabytes, days):
    all_graphs = [
        CachedGraph(tmp_path_factory.getbasetemp() / str(index), size, NOW - age * DAY, unfinished)
        for index, (size, age, unfinished) in enumerate(rows)
    ]
    going = surplus(all_graphs, gigabytes, days, NOW)
    kept = [graph for graph in all_graphs if graph not in going and not graph.unfinished]
    assert sum(graph.size_bytes for graph in kept) <= gigabytes * 1e9
    assert all(NOW - graph.used_at <= days * DAY for graph in kept)
    for graph in going:
        age = NOW - graph.used_at
        later = sum(other.size_bytes for other in kept if other.used_at >= graph.used_at)
        assert age > (DAY if graph.unfinished else days * DAY) or later + graph.size_bytes > gigabytes * 1e9


def test_the_least_recently_used_go_first_and_opening_counts_as_use(cache):
    now = time.time()
    for name, age in (("old", 30), ("older", 40), ("young", 10)):
        made(name, 1_000_000, now - age * DAY)
    made("older")  # opened again
    os.utime(cache / next(path.name for path in cache.iterdir() if path.name.startswith("older-")), (now - 100,) * 2)
    removed = clean(gigabytes=0.0025)
    assert [graph.folder.name.partition("-")[0] for graph in removed] == ["old"]
    assert [graph.folder.name.partition("-")[0] for graph in cached_graphs()] == ["older", "young"]


def test_leftovers_of_killed_processes_go_after_a_day(cache):
    for name, used_at in (("a-2.x.part", LONG_AGO), ("b-2.y.removed", LONG_AGO), ("c-2.z.part", time.time() - 3600)):
        (cache / name).mkdir(parents=True)
        os.utime(cache / name, (used_at, used_at))
    clean()
    assert [path.name for path in cache.iterdir()] == ["c-2.z.part"]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says what a process has mapped")
def test_a_graph_that_another_process_has_mapped_stays(cache):
    folder = made("in-use", 8192, LONG_AGO)
    code = "import mmap, sys; file = open(sys.argv[1], 'rb'); held = mmap.mmap(file.fileno(), 0, prot=1);"
    code += "print('ja', flush=True); input()"
    command = [sys.executable, "-c", code, str(folder / "model.weights")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as user:
        assert user.stdout.readline() == "ja\n"
        assert clean(gigabytes=0.0) == []
        user.communicate("\n")
    assert [graph.folder for graph in clean(gigabytes=0.0)] == [folder]


def test_an_engine_goes_on_after_its_graph_was_removed(cache, tmp_path):
    engine = OnnxEngine(make_encoder(tmp_path / "bert", "bert"), "classify", EngineOptions(threads=1))
    wanted = engine.run(batch_of((9, 4)))
    for path in cache.iterdir():
        engine_cache._remove(path)
    assert (engine.run(batch_of((9, 4))) == wanted).all()
    again = OnnxEngine(tmp_path / "bert", "classify", EngineOptions(threads=1))
    assert (again.run(batch_of((9, 4))) == wanted).all()


def test_making_a_graph_makes_room_first(cache, tmp_path, monkeypatch, caplog):
    old = made("old", 1000, LONG_AGO)
    with caplog.at_level("INFO", logger="secondpass.models"):
        OnnxEngine(make_encoder(tmp_path / "bert", "bert"), "classify", EngineOptions(threads=1))
    assert not old.exists()
    assert "1 graphs of engines that were long unused were removed" in caplog.text


@pytest.mark.parametrize(("written", "kept"), [("5", 5.0), ("0.5", 0.5), (" ", 20.0)])
def test_the_bound_can_be_set(monkeypatch, written, kept):
    monkeypatch.setenv("SECONDPASS_CACHE_GB", written)
    assert engine_cache.gigabytes_kept() == kept


def test_a_bound_that_is_no_number_is_refused(monkeypatch):
    monkeypatch.setenv("SECONDPASS_CACHE_GB", "二十")
    with pytest.raises(InputError, match="SECONDPASS_CACHE_GB is '二十'; accepted is a number of gigabytes"):
        clean()
