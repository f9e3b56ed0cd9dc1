"""int8: the same order as float32 within what eight bits allow, calibrated on texts; and the measures that say so."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openvino import Core
from scipy.stats import kendalltau
from tests.models.tiny_models import SENTENCES, Shape, make_model

from secondpass.errors import InputError
from secondpass.models.engine import EngineOptions
from secondpass.models.graph_linear import Int8Input, Int8Linear
from secondpass.models.onnx import OnnxEngine
from secondpass.models.openvino import OpenVinoEngine, knows_bf16
from secondpass.models.parity import compare, kendall_tau, parity
from secondpass.models.quantize import input_rounding, layers_left_float, pair_batches, rounding_loss

ENGINES = (OnnxEngine, OpenVinoEngine)
PAIRS = [(question, passage) for question in SENTENCES[::4] for passage in SENTENCES[::2]]  # not the calibration texts


pytestmark = pytest.mark.usefixtures("own_cache")


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


class Catcher:
    """Keeps the constants and the kinds of the nodes of a graph."""

    def __init__(self):
        self.constants = []
        self.kinds = []

    def constant(self, values):
        self.constants.append(values)
        return str(len(self.constants))

    def node(self, kind, *inputs, **_):
        self.kinds.append(kind)
        return kind


def test_every_weight_is_within_half_a_step_of_the_original():
    weight = np.random.default_rng(1).standard_normal((7, 20)).astype(np.float32)
    weight[3] = 0
    divisors = np.linspace(1, 4, 20, dtype=np.float32)
    graph = Catcher()
    inputs = {"layer": Int8Input(-1.0, 3.0, divisors)}
    Int8Linear(inputs).write(graph, "x", "layer", weight, np.zeros(7, np.float32))
    rounded = next(values for values in graph.constants if values.dtype == np.int8 and values.ndim == 2)
    scales = next(values for values in graph.constants if values.dtype == np.float32 and values.shape == (7,))
    assert (np.abs(rounded.T * scales[:, None] - weight * divisors).max(axis=1) <= scales * 0.501).all()
    assert np.array_equal(rounded.T[3], np.zeros(20))


def test_a_layer_that_was_not_calibrated_stays_float():
    graph = Catcher()
    Int8Linear({}).write(graph, "x", "layer", np.ones((7, 20), np.float32), np.zeros(7, np.float32))
    assert graph.kinds == ["MatMul", "Add"]
    assert all(values.dtype == np.float32 for values in graph.constants)


def test_a_channel_of_large_numbers_does_not_coarsen_the_others():
    x = np.random.default_rng(2).standard_normal((500, 64)).astype(np.float32)
    x[:, 7] *= 20
    weight = np.random.default_rng(3).standard_normal((16, 64)).astype(np.float32)
    weight[:, 7] /= 20
    given = input_rounding(x.min(axis=0)[None], x.max(axis=0)[None])
    assert given.divisors[7] > 10
    assert np.median(given.divisors) == 1

    def error(rounding):
        step = (rounding.high - rounding.low) / 255
        rounded = np.clip(np.rint(x / rounding.divisors / step), rounding.low / step, rounding.high / step) * step
        return np.abs(rounded @ (weight * rounding.divisors).T - x @ weight.T).mean()

    plain = Int8Input(float(x.min()), float(x.max()), np.ones(64, np.float32))
    assert error(given) < 0.2 * error(plain)


@pytest.mark.parametrize("values", [np.zeros((3, 40)), np.full((3, 40), 2.0), -np.eye(3, 40)])
def test_inputs_without_a_spread_have_divisors_of_one_and_more(values):
    values = values.astype(np.float32)
    given = input_rounding(np.minimum(values, 0), np.maximum(values, 0))
    assert np.isfinite(given.divisors).all()
    assert (given.divisors >= 1).all()
    assert given.low <= 0 <= given.high
    assert np.isfinite(rounding_loss(given, values**2))


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.integers(1, 1000)), min_size=1, max_size=30))
def test_layers_left_float_are_those_that_lose_the_most_and_a_seventh_of_the_weights_at_most(layers):
    losses = {str(index): loss for index, (loss, _) in enumerate(layers)}
    sizes = {str(index): size for index, (_, size) in enumerate(layers)}
    left = layers_left_float(losses, sizes)
    assert sum(sizes[name] for name in left) <= sum(sizes.values()) / 7
    rest = losses.keys() - set(left)
    assert all(losses[name] >= losses[other] for name in left for other in rest)


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
