"""Where engines end: many threads, the longest texts, and no memory left, through the command line too."""

import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from tests.models.encoder_folders import batch_of, make_encoder, reference
from tests.models.rotary_folders import make_rotary
from tests.models.tiny_models import Shape, make_model

from secondpass.models.engine import EngineOptions
from secondpass.models.engines import open_engine

ROOT = Path(__file__).parents[2]
LIGHT = ("onnx", "openvino")
PRECISIONS = (
    ("onnx", "f32"), ("onnx", "int8"), ("openvino", "f32"), ("openvino", "int8"), ("numpy", "f32"), ("torch", "f32"),
)  # fmt: skip


pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_model(tmp_path_factory.mktemp("models") / "tiny", Shape("bert"))


def together_and_alone(engine):
    batches = [batch_of((20, 5 + index % 16, 31), seed=index) for index in range(32)]
    alone = [engine.run(batch) for batch in batches]
    with ThreadPoolExecutor(64) as pool:
        together = list(pool.map(engine.run, batches * 8))
    return together, alone * 8


@pytest.mark.parametrize(("name", "precision"), PRECISIONS)
def test_sixty_four_threads_sharing_one_engine_get_the_scores_of_one(folder, name, precision):
    together, alone = together_and_alone(open_engine(folder, "classify", EngineOptions(name, precision, threads=1)))
    assert all(np.array_equal(found, wanted) for found, wanted in zip(together, alone, strict=True))


@pytest.mark.parametrize("name", ["onnx", "openvino", "torch"])  # torch: through transformers
def test_sixty_four_threads_sharing_a_modernbert_get_the_scores_of_one(tmp_path, name):
    folder = make_rotary(tmp_path / "modernbert", "modernbert-local-last")
    together, alone = together_and_alone(open_engine(folder, "classify", EngineOptions(name, threads=1)))
    assert all(np.array_equal(found, wanted) for found, wanted in zip(together, alone, strict=True))


def test_every_length_up_to_8192_is_exact(tmp_path):
    narrow = {"hidden_size": 32, "num_attention_heads": 1, "num_hidden_layers": 2}
    folder = make_encoder(tmp_path / "long", "xlm-roberta", labels=1, positions=8192, **narrow)
    engines = [open_engine(folder, "classify", EngineOptions(name, threads=1)) for name in LIGHT]
    for length in (1, 2, 513, 2049, 4096, 8191, 8192):
        batch = batch_of((length,), seed=length)
        wanted = reference(folder, batch)
        for engine in engines:
            assert np.abs(engine.run(batch) - wanted).max() < 1e-4


WIDE = Shape("bert", layers=2, intermediate=131_072)  # a thousand tokens are half a gigabyte between two products
COMMANDS = """
    import json, resource, sys
    from pathlib import Path
    from secondpass.cli.main import main

    folder, engine, spare, count, words = sys.argv[1:]
    def rerank(texts):
        lines = "".join(json.dumps({"id": str(number), "text": text}) + chr(10) for number, text in enumerate(texts))
        Path("passages.jsonl").write_text(lines, encoding="utf-8")
        sys.argv = ["secondpass", "rerank", "长江有多长？", "--input", "passages.jsonl", "--rerank", f"{folder}@all",
                    "--engine", engine, "--threads", "1"]
        try:
            main()
        except SystemExit as end:
            return end.code

    assert rerank(["短", "x y"]) == 0  # the model is open now, and everything is imported
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + int(spare) * 1_000_000, resource.RLIM_INFINITY))
    print("----", flush=True)
    code = rerank([f"{number} " + "长江 " * int(words) for number in range(int(count))])
    print("----", code, flush=True)
"""


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    return make_model(tmp_path_factory.mktemp("models") / "wide", WIDE)


def rerank_with(tmp_path, *arguments):
    command = [sys.executable, "-c", textwrap.dedent(COMMANDS), *map(str, arguments)]
    return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300)


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_AS is honoured on Linux only")
@pytest.mark.parametrize("engine", ["onnx", "openvino", "numpy", "torch"])
def test_a_batch_that_does_not_fit_is_retried_smaller(wide, tmp_path, engine):
    done = rerank_with(tmp_path, wide, engine, 450, 32, 24)
    output = done.stdout.split("----")
    assert output[2].strip() == "0", done.stderr
    assert len(output[1].strip().splitlines()) == 32
    assert f"{engine} (f32) ran out of memory; batches were halved" in done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_AS is honoured on Linux only")
@pytest.mark.parametrize("engine", ["onnx", "openvino", "numpy", "torch"])
def test_one_text_that_does_not_fit_is_said_by_the_engines_name(wide, tmp_path, engine):
    done = rerank_with(tmp_path, wide, engine, 60, 1, 200)
    output = done.stdout.split("----")
    assert output[2].strip() == "2", done.stderr
    assert output[1].strip() == ""
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith(f"secondpass: The engine {engine} (f32) ran out of memory on a single input of ")
    assert "take another engine or precision" in last


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_AS is honoured on Linux only")
@pytest.mark.parametrize("engine", ["onnx", "openvino", "numpy", "torch"])
def test_without_memory_no_engine_gives_the_numbers_of_the_batch_before(wide, tmp_path, engine):
    """OpenVINO's ``infer`` does: it leaves them where they were, and says nothing."""
    code = f"""
        import resource
        from pathlib import Path
        from tests.models.encoder_folders import batch_of
        from secondpass.models.engine import EngineOptions
        from secondpass.models.engines import open_engine
        engine = open_engine(Path({str(wide)!r}), "classify", EngineOptions({engine!r}, threads=1))
        engine.run(batch_of((8, 8)))
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + 50_000_000, resource.RLIM_INFINITY))
        try:
            print("numbers", engine.run(batch_of((200, 200), seed=1)))
        except MemoryError:
            print("no memory")
        resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        print(len(engine.run(batch_of((200, 200), seed=1))))
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["no memory", "2"]
