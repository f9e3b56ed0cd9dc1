"""Engines by name and by measurement: choice, refusals, threads, shipped ONNX files, and running out of memory."""

import json
import resource
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from tests.models.encoder_folders import batch_of, make_encoder, reference
from transformers import AutoModel, AutoModelForSequenceClassification

from secondpass.errors import InputError, MissingExtraError
from secondpass.models import engine_files, engine_rates, engines, openvino
from secondpass.models.engine import EngineOptions
from secondpass.models.engines import engine_rate, installed_engines, open_engine

ONE_THREAD = EngineOptions(threads=1)
NAMES = ("onnx", "openvino", "numpy")


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SECONDPASS_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_encoder(tmp_path_factory.mktemp("encoder") / "bert", "bert")


@pytest.fixture
def rates(cache):
    """The file of remembered speeds, absent at first."""
    file = cache / "engine-rates.json"
    file.unlink(missing_ok=True)
    return file


def named(name, precision="f32", threads=1):
    return EngineOptions(name, precision, threads)


def test_the_installed_engines_are_named_without_importing_them():
    assert installed_engines() == ["openvino", "onnx", "numpy", "torch"]
    code = "import sys; from secondpass.models import engines; engines.installed_engines(); print(sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert not any(f"'{name}'" in loaded for name in ("torch", "onnxruntime", "openvino", "onnx"))


@pytest.mark.parametrize("name", NAMES)
def test_an_engine_says_truly_what_it_is(folder, name):
    engine = open_engine(folder, "classify", named(name))
    assert (engine.name, engine.precision) == (name, "f32")


def test_auto_measures_every_engine_once_and_remembers_the_fastest(folder, rates, monkeypatch):
    measured = []

    def pretend(engine, max_tokens):
        measured.append(engine.name)
        return engine_rates.EngineRate(engine.name, engine.precision, 2000.0 if engine.name == "onnx" else 1000.0)

    monkeypatch.setattr(engines, "measure", pretend)
    assert open_engine(folder, "classify", ONE_THREAD).name == "onnx"
    assert measured[:3] == ["openvino", "onnx", "numpy"]
    count = len(measured)
    assert open_engine(folder, "classify", ONE_THREAD).name == "onnx"
    assert len(measured) == count
    # what the choice depends on is part of its key: other threads, another head, another library are measured anew
    open_engine(folder, "tokens", ONE_THREAD)
    assert len(measured) > count
    monkeypatch.setattr(engines, "version", lambda package: "99.0")
    before = len(measured)
    open_engine(folder, "classify", ONE_THREAD)
    assert len(measured) > before


def test_the_fastest_engine_gives_the_right_scores(folder, rates):
    batch = batch_of((40, 3))
    engine = open_engine(folder, "classify", ONE_THREAD)
    assert np.abs(engine.run(batch) - reference(folder, batch)).max() < 1e-4
    kept = json.loads(rates.read_text(encoding="utf-8"))
    assert {entry["precision"] for entry in kept.values()} == {"f32"}
    assert all(entry["tokens_per_second"] > 0 for entry in kept.values())


@pytest.mark.parametrize("broken", ["", "{", "[1, 2]", '{"a": 3}', "null"])
def test_a_broken_file_of_speeds_is_measured_anew(folder, rates, broken):
    rates.write_text(broken, encoding="utf-8")
    engine = open_engine(folder, "classify", named("onnx"))
    rate = engine_rate(engine, folder, "classify", named("onnx"))
    assert rate.engine == "onnx"
    assert rate.tokens_per_second > 0
    assert engine_rate(engine, folder, "classify", named("onnx")) == rate  # the second time it is remembered


def test_a_choice_that_nobody_can_read_any_more_is_made_again(folder, rates):
    open_engine(folder, "classify", ONE_THREAD)
    kept = json.loads(rates.read_text(encoding="utf-8"))
    rates.write_text(json.dumps({key: entry | {"engine": "abacus"} for key, entry in kept.items()}), encoding="utf-8")
    assert open_engine(folder, "classify", ONE_THREAD).name in {"openvino", "onnx", "numpy"}


def test_exact_scores_on_a_cpu_do_not_wait_for_torch(folder, rates):
    code = f"""
        import sys
        from pathlib import Path
        from secondpass.models.engine import EngineOptions
        from secondpass.models.engines import open_engine
        engine = open_engine(Path({str(folder)!r}), "classify", EngineOptions(threads=1))
        print(engine.name, "torch" in sys.modules)
    """
    for _ in range(2):  # measured, then remembered
        done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True)
        assert done.stdout.split() in (["openvino", "False"], ["onnx", "False"], ["numpy", "False"])
    assert not any(entry["engine"] == "torch" for entry in json.loads(rates.read_text(encoding="utf-8")).values())


@pytest.mark.skipif(not openvino.knows_bf16(openvino.Core()), reason="this CPU has no bf16 instructions")
def test_torch_is_measured_where_it_may_be_the_fastest(folder, rates):
    open_engine(folder, "classify", EngineOptions(precision="bf16", threads=1))
    assert {entry["engine"] for entry in json.loads(rates.read_text(encoding="utf-8")).values()} == {
        "openvino",
        "torch",
    }


def test_torch_is_taken_where_it_is_the_only_one_installed(folder, monkeypatch):
    monkeypatch.setattr(engines, "installed_engines", lambda: ["torch"])
    assert open_engine(folder, "classify", ONE_THREAD).name == "torch"


def test_int8_is_never_chosen_unasked(folder, rates):
    assert open_engine(folder, "classify", ONE_THREAD).precision == "f32"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (named("onnx", "bf16"), "computes in f32 or int8, not in bf16; the engines openvino and torch"),
        (EngineOptions("onnx", device="cuda"), "on the cpu, not on cuda"),
        (EngineOptions("openvino", device="cuda:1"), "on the cpu, not on cuda:1"),
        (named("numpy", "int8"), "computes in f32 on the cpu, not in int8"),
        (EngineOptions("numpy", device="cuda"), "not in f32 on cuda"),
        (EngineOptions("abacus"), "no engine named 'abacus'; known are auto, openvino, onnx, numpy, torch"),
    ],
)
def test_what_an_engine_cannot_do_is_refused(folder, options, words):
    with pytest.raises(InputError, match=words):
        open_engine(folder, "classify", options)


def test_bf16_on_a_cpu_without_it_is_refused(folder, monkeypatch):
    monkeypatch.setattr(openvino, "knows_bf16", lambda core: False)
    monkeypatch.setattr(engines, "lacks", lambda sets: True)
    with pytest.raises(InputError, match=r"no bf16 instructions .* ask for f32"):
        open_engine(folder, "classify", named("openvino", "bf16"))
    with pytest.raises(InputError, match=r"no bf16 instructions .* ask for f32.*naming the engine torch"):
        open_engine(folder, "classify", named("auto", "bf16"))


def test_an_engine_that_is_not_installed_names_the_command(folder, monkeypatch):
    monkeypatch.setattr(engines, "find_spec", lambda package: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'secondpass\[openvino\]'"):
        open_engine(folder, "classify", named("openvino"))
    with pytest.raises(MissingExtraError, match=r"pip install 'secondpass\[torch\]'"):
        open_engine(folder, "classify", EngineOptions(device="cuda"))


@pytest.mark.parametrize("name", NAMES)
def test_sixteen_threads_get_the_scores_of_one(folder, name):
    engine = open_engine(folder, "classify", named(name))
    batches = [batch_of((20, 5 + index, 31), seed=index) for index in range(16)]
    alone = [engine.run(batch) for batch in batches]
    with ThreadPoolExecutor(16) as pool:
        together = list(pool.map(engine.run, batches * 4))
    for index, scores in enumerate(together):
        assert np.array_equal(scores, alone[index % 16])


@pytest.mark.parametrize("name", NAMES)
def test_any_number_of_threads_gives_the_same_scores(folder, name):
    batch = batch_of((100, 40))
    wanted = reference(folder, batch)
    for threads in (1, 2, None):
        assert np.abs(open_engine(folder, "classify", named(name, threads=threads)).run(batch) - wanted).max() < 1e-4


class Named(torch.nn.Module):
    """A model whose inputs come by position, as the exporter wants them, and whose output is one tensor."""

    def __init__(self, model, output):
        super().__init__()
        self.model, self.output = model, output

    def forward(self, ids, mask, types):
        return getattr(self.model(input_ids=ids, attention_mask=mask, token_type_ids=types), self.output)


def export(folder, target, head):
    """What a hub's model folder ships beside its config.json."""
    loader = AutoModelForSequenceClassification if head == "classify" else AutoModel
    model = loader.from_pretrained(folder, attn_implementation="eager").eval()
    names = ["input_ids", "attention_mask", "token_type_ids"]
    output = "logits" if head == "classify" else "last_hidden_state"
    (target / "onnx").mkdir(parents=True)
    torch.onnx.export(
        Named(model, output),
        tuple(torch.ones(2, 9, dtype=torch.long) for _ in names),
        str(target / "onnx" / "model.onnx"),
        input_names=names,
        output_names=[output],
        dynamic_axes={**{name: {0: "b", 1: "s"} for name in names}, output: {0: "b"}},
        opset_version=17,
        dynamo=False,
    )
    (target / "config.json").write_bytes((folder / "config.json").read_bytes())
    return target


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("head", ["classify", "tokens"])
def test_a_folder_with_nothing_but_an_onnx_file_runs(folder, tmp_path, head):
    shipped = export(folder, tmp_path / "shipped", head)
    batch = batch_of((30, 7, 12), width=32, attended=(30, 5, 12))
    projection = np.random.default_rng(0).standard_normal((8, 48)).astype(np.float32) if head == "tokens" else None
    wanted = reference(folder, batch, head)
    if projection is not None:
        wanted = wanted @ projection.T
        wanted /= np.linalg.norm(wanted, axis=1, keepdims=True)
    for name in ("onnx", "openvino"):
        found = open_engine(shipped, head, named(name), projection).run(batch)
        assert np.abs(found - wanted).max() < 1e-4
    with pytest.raises(InputError, match="only safetensors weights are read"):
        open_engine(shipped, head, named("numpy"))
    with pytest.raises(InputError, match="int8 is made only of safetensors weights"):
        open_engine(shipped, head, named("onnx", "int8"))
    with pytest.raises(InputError, match="exported for another task"):
        open_engine(shipped, "tokens" if head == "classify" else "classify", named("onnx"))


def test_an_onnx_file_that_is_none_is_refused(folder, tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"<html>404</html>")
    (tmp_path / "config.json").write_bytes((folder / "config.json").read_bytes())
    with pytest.raises(InputError, match="not an ONNX file"):
        open_engine(tmp_path, "classify", named("onnx"))


def test_a_cache_folder_that_cannot_be_written_is_said(folder, tmp_path, monkeypatch):
    place = tmp_path / "file"
    place.write_text("", encoding="utf-8")
    monkeypatch.setenv("SECONDPASS_CACHE", str(place))
    with pytest.raises(InputError, match="SECONDPASS_CACHE"):
        open_engine(folder, "classify", named("onnx"))


def test_a_killed_writer_leaves_nothing_that_is_taken_for_a_graph(cache):
    def die(target):
        (target / "model.onnx").write_bytes(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        engine_files.made_once("broken", die)
    assert not list((cache / "engines").glob("broken*"))


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_AS is honoured on Linux only")
@pytest.mark.parametrize("name", NAMES)
def test_running_out_of_memory_is_a_memory_error(folder, name):
    code = f"""
        import resource
        from pathlib import Path
        import numpy as np
        from secondpass.models.engine import Batch, EngineOptions
        from secondpass.models.engines import open_engine
        engine = open_engine(Path({str(folder)!r}), "classify", EngineOptions({name!r}, threads=1))
        ids = np.full(512, 7, dtype=np.int64)
        engine.run(Batch((ids,), (512,), 512))
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + 250_000_000, {resource.RLIM_INFINITY}))
        try:
            engine.run(Batch((ids,) * 2000, (512,) * 2000, 512))
        except MemoryError as error:
            print("memory:", error)
        resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        print("after:", engine.run(Batch((ids,), (512,), 512)).shape)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False)
    assert "memory:" in done.stdout, done.stderr
    assert "after: (1, 3)" in done.stdout, done.stderr
