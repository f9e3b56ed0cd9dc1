"""int8: the same order as float32 within what eight bits allow, calibrated on texts; and the measures that say so."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openvino import Core
from scipy.stats import kendalltau
from tests.models.tiny_models import SENTENCES, Shape, make_model

from secondpass.errors import InputError
from secondpass.models.engine import EngineOptions
from secondpass.models.graph_linear import Int8Linear, Range
from secondpass.models.onnx import OnnxEngine
from secondpass.models.openvino import OpenVinoEngine, knows_bf16
from secondpass.models.parity import compare, kendall_tau, parity
from secondpass.models.quantize import pair_batches

ENGINES = (OnnxEngine, OpenVinoEngine)
PAIRS = [(question, passage) for question in SENTENCES[::4] for passage in SENTENCES[::2]]  # not the calibration texts


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SECONDPASS_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module", params=["bert", "xlm-roberta"])
def folder(request, tmp_path_factory):
    shape = Shape(request.param, hidden=64, intermediate=128)
    return make_model(tmp_path_factory.mktemp("models") / request.param, shape)


@pytest.mark.parametrize("engine", ENGINES)
def test_int8_orders_chinese_and_english_pairs_nearly_as_float32_does(folder, engine):
    exact = engine(folder, "classify", EngineOptions(threads=1))
    rounded = engine(folder, "classify", EngineOptions(precision="int8", threads=1))
    assert rounded.precision == "int8"
    batches = list(pair_batches(folder, PAIRS, 512, 2))
    found = parity(exact, rounded, batches)
    assert found.count == len(PAIRS)
    assert 0 < found.max_difference < 0.5 * found.spread
    assert found.kendall_tau > 0.9
    assert found.top10_overlap >= 0.8


def test_both_engines_compute_the_same_int8_graph(folder):
    options = EngineOptions(precision="int8", threads=1)
    found = parity(
        *(engine(folder, "classify", options) for engine in ENGINES), list(pair_batches(folder, PAIRS, 512, 2))
    )
    assert found.max_difference < 0.25 * found.spread


def test_int8_gives_token_vectors_too(folder):
    batch = next(pair_batches(folder, PAIRS, 512, 2))
    exact, rounded = (
        OnnxEngine(folder, "tokens", EngineOptions(precision=precision, threads=1)).run(batch)
        for precision in ("f32", "int8")
    )
    cosines = (exact * rounded).sum(1) / np.linalg.norm(exact, axis=1) / np.linalg.norm(rounded, axis=1)
    assert cosines.min() > 0.99


def test_int8_without_a_tokenizer_is_refused(folder, tmp_path):
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    with pytest.raises(InputError, match="calibrated on texts"):
        OnnxEngine(tmp_path, "classify", EngineOptions(precision="int8", threads=1))


def test_every_weight_is_within_half_a_step_of_the_original():
    class Catcher:
        """Keeps the constants of a graph."""

        def __init__(self):
            self.constants = []

        def constant(self, values):
            self.constants.append(values)
            return str(len(self.constants))

        def node(self, kind, *inputs, **_):
            return kind

    weight = np.random.default_rng(1).standard_normal((7, 20)).astype(np.float32)
    weight[3] = 0
    graph = Catcher()
    Int8Linear({"layer": Range(-1.0, 3.0)}).write(graph, "x", "layer", weight, np.zeros(7, np.float32))
    rounded = next(values for values in graph.constants if values.dtype == np.int8 and values.ndim == 2)
    scales = next(values for values in graph.constants if values.dtype == np.float32 and values.shape == (7,))
    assert (np.abs(rounded.T * scales[:, None] - weight).max(axis=1) <= scales * 0.501).all()
    assert np.array_equal(rounded.T[3], np.zeros(20))


@given(st.lists(st.tuples(st.integers(-20, 20), st.integers(-20, 20)), min_size=2, max_size=40))
def test_kendall_tau_is_scipys_where_there_are_no_ties(pairs):
    a, b = (np.array(column, dtype=np.float32) for column in zip(*pairs, strict=True))
    a, b = a + np.arange(len(a)) * 1e-3, b + np.arange(len(b)) * 1e-3
    assert kendall_tau(a, b) == pytest.approx(kendalltau(a, b).statistic)


def test_measures_of_equal_reversed_and_empty_scorings():
    scores = np.arange(30, dtype=np.float32)
    same, reverse = compare(scores, scores), compare(scores, -scores)
    assert (same.max_difference, same.kendall_tau, same.top10_overlap) == (0.0, 1.0, 1.0)
    assert (reverse.kendall_tau, reverse.top10_overlap) == (-1.0, 0.0)
    none = compare(scores[:0], scores[:0])
    assert (none.count, none.kendall_tau, none.top10_overlap) == (0, 1.0, 1.0)


@pytest.mark.skipif(not knows_bf16(Core()), reason="this CPU has no bf16 instructions")
def test_bf16_orders_pairs_nearly_as_float32_does_and_f32_is_not_bf16(folder):
    batches = list(pair_batches(folder, PAIRS, 512, 2))
    plain, exact, rounded = (
        engine(folder, "classify", EngineOptions(precision=precision, threads=1))
        for engine, precision in ((OnnxEngine, "f32"), (OpenVinoEngine, "f32"), (OpenVinoEngine, "bf16"))
    )
    found = parity(exact, rounded, batches)
    assert rounded.precision == "bf16"
    assert 1e-4 < found.max_difference < 0.3 * found.spread
    assert found.kendall_tau > 0.95
    assert parity(plain, exact, batches).max_difference < 1e-4
