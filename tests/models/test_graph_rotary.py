"""ModernBERT and GTE as graphs of our own give what transformers gives; DeBERTa goes through transformers."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.models.colbert_checkpoints import HIDDEN, write_pylate
from tests.models.encoder_folders import batch_of, reference
from tests.models.rotary_folders import ROTARY, make_new, make_rotary, native_ntk
from tests.models.tiny_models import SENTENCES, wordpiece
from transformers import AutoConfig, AutoModel, AutoModelForSequenceClassification

from secondpass.errors import InputError
from secondpass.models.checkpoint import read_checkpoint, reranker_family
from secondpass.models.engine import Batch, EngineOptions
from secondpass.models.engines import open_engine
from secondpass.models.graph_export import export_onnx
from secondpass.models.late_interaction_scorer import open_late_interaction
from secondpass.models.onnx import OnnxEngine
from secondpass.models.openvino import OpenVinoEngine
from secondpass.models.parity import parity
from secondpass.models.quantize import pair_batches
from secondpass.models.rotary_shape import Rotation

ENGINES = (OnnxEngine, OpenVinoEngine)
ONE_THREAD = EngineOptions(threads=1)
TOLERANCE = 1e-4


pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    base = tmp_path_factory.mktemp("encoders")
    return {name: make_rotary(base / name, name) for name in ROTARY}


@pytest.fixture(scope="module")
def opened(folders):
    return {
        (engine, name, head): engine(folders[name], head, ONE_THREAD)
        for engine in ENGINES
        for name in ROTARY
        for head in ("classify", "tokens")
    }


@pytest.mark.parametrize("head", ["classify", "tokens"])
@pytest.mark.parametrize("name", ROTARY)
def test_every_rotary_encoder_gives_what_transformers_gives(opened, folders, name, head):
    batch = batch_of((1, 2, 3, 8, 9, 17, 64, 65, 129, 200, 511), width=512)
    wanted = reference(folders[name], batch, head)
    for engine in ENGINES:
        found = opened[engine, name, head].run(batch)
        assert found.shape == wanted.shape
        assert np.abs(found - wanted).max() < TOLERANCE


@pytest.mark.parametrize("name", ROTARY)
def test_thousands_of_tokens_stay_exact(opened, folders, name):
    batch = batch_of((2048, 1))
    wanted = reference(folders[name], batch)
    for engine in ENGINES:
        assert np.abs(opened[engine, name, "classify"].run(batch) - wanted).max() < TOLERANCE


@pytest.mark.parametrize("engine", ENGINES)
@settings(max_examples=10, deadline=None)
@given(lengths=st.lists(st.integers(1, 90), min_size=1, max_size=6), extra=st.integers(0, 40), seed=st.integers(0, 99))
def test_neighbours_order_and_padding_change_nothing(opened, engine, lengths, extra, seed):
    batch = batch_of(lengths, seed, max(lengths) + extra)
    for name in ROTARY:
        together = opened[engine, name, "classify"].run(batch)
        for index, ids in enumerate(batch.ids):
            alone = Batch((ids,), (batch.second_starts[index],), len(ids))
            assert np.abs(opened[engine, name, "classify"].run(alone)[0] - together[index]).max() < 2e-5


@pytest.mark.parametrize("name", ROTARY)
def test_tokens_that_are_not_attended_are_computed_but_not_seen(opened, folders, name):
    batch = batch_of((6, 8, 3), attended=(6, 4, 3))
    wanted = reference(folders[name], batch, "tokens")
    for engine in ENGINES:
        assert np.abs(opened[engine, name, "tokens"].run(batch) - wanted).max() < TOLERANCE


def test_a_projection_is_applied_and_vectors_have_length_one(folders):
    projection = np.random.default_rng(3).standard_normal((16, 48)).astype(np.float32)
    batch = batch_of((5, 30, 1))
    wanted = reference(folders["modernbert"], batch, "tokens") @ projection.T
    wanted /= np.linalg.norm(wanted, axis=1, keepdims=True)
    for engine in ENGINES:
        found = engine(folders["modernbert"], "tokens", ONE_THREAD, projection).run(batch)
        assert np.abs(found - wanted).max() < TOLERANCE


@pytest.mark.parametrize("head", ["classify", "tokens"])
@pytest.mark.parametrize("name", ROTARY)
def test_an_exported_file_runs_with_the_inputs_of_transformers(folders, tmp_path, name, head):
    export_onnx(folders[name], tmp_path, head)
    (tmp_path / "config.json").write_bytes((folders[name] / "config.json").read_bytes())
    batch = batch_of((30, 4, 17), width=33, attended=(30, 3, 17))
    wanted = reference(folders[name], batch, head)
    for engine in ENGINES:  # as they run the files that others made
        assert np.abs(engine(tmp_path, head, ONE_THREAD).run(batch) - wanted).max() < TOLERANCE


@pytest.fixture(scope="module")
def new_and_native(tmp_path_factory):
    base = tmp_path_factory.mktemp("gte")
    native = make_rotary(base / "native", "gte", num_labels=1, rope_parameters=native_ntk())
    return make_new(base / "new", native), native


@pytest.mark.parametrize("name", ["onnx", "openvino", "torch"])
def test_gte_under_its_first_name_is_computed_without_its_repositorys_code(new_and_native, name):
    new, native = new_and_native
    assert reranker_family(read_checkpoint(new), None) == "cross-encoder"
    batch = batch_of((1, 40, 300))
    engine = open_engine(new, "classify", EngineOptions(name, threads=1))
    assert np.abs(engine.run(batch) - reference(native, batch)).max() < TOLERANCE


@pytest.mark.parametrize(
    "change",
    [
        {"logn_attention_scale": True},
        {"layer_norm_type": "rms_norm"},
        {"rope_scaling": {"type": "ntk", "factor": 8.0, "mixed_b": 0.5}},
        {"rope_scaling": {"type": "yarn", "factor": 8.0}},
        {"position_embedding_type": "absolute"},
    ],
)
def test_what_of_its_first_name_is_not_known_still_needs_that_code(new_and_native, tmp_path, change):
    folder = make_new(tmp_path / "odd", new_and_native[1], **change)
    with pytest.raises(InputError, match="which is never run"):
        reranker_family(read_checkpoint(folder), None)
    with pytest.raises(InputError, match=r"holds no model\.onnx"):
        OnnxEngine(folder, "classify", ONE_THREAD)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"hidden_activation": "swish"}, "its activation is 'swish'"),
        ({"rope_parameters": {"full_attention": {"rope_type": "yarn", "factor": 2.0}}}, "scaled by 'yarn'"),
        ({"num_attention_heads": 5}, "which 5 heads do not divide"),
        ({"layer_types": ["full_attention"]}, "layer_types, which are 1 for 4 layers"),
        ({"num_hidden_layers": 6, "layer_types": None}, "hold no 'model.layers.4"),
    ],
)
def test_what_cannot_be_computed_exactly_is_refused(folders, tmp_path, change, words):
    config = json.loads((folders["modernbert"] / "config.json").read_text(encoding="utf-8")) | change
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (tmp_path / "model.safetensors").write_bytes((folders["modernbert"] / "model.safetensors").read_bytes())
    with pytest.raises(InputError, match=words):
        OnnxEngine(tmp_path, "classify", ONE_THREAD)


def test_the_settings_that_the_hub_keeps_mean_the_same_as_the_ones_of_today(folders, tmp_path):
    config = json.loads((folders["modernbert"] / "config.json").read_text(encoding="utf-8"))
    for name in ("rope_parameters", "layer_types"):
        del config[name]
    config |= {"global_attn_every_n_layers": 3, "global_rope_theta": 160_000.0, "local_rope_theta": 10_000.0}
    (tmp_path / "config.json").write_text(json.dumps(config | {"position_embedding_type": "absolute"}), "utf-8")
    (tmp_path / "model.safetensors").write_bytes((folders["modernbert"] / "model.safetensors").read_bytes())
    batch = batch_of((200, 5))
    found = OnnxEngine(tmp_path, "classify", ONE_THREAD).run(batch)
    assert np.abs(found - reference(folders["modernbert"], batch)).max() < TOLERANCE


@pytest.mark.parametrize("name", ["modernbert", "gte"])
def test_int8_orders_chinese_and_english_pairs_nearly_as_float32_does(tmp_path, name):
    tokenizer = wordpiece()
    folder = make_rotary(tmp_path / name, name, tokenizer.get_vocab_size(), num_labels=1, initializer_range=0.15)
    tokenizer.save(str(folder / "tokenizer.json"))
    pairs = [(question, passage) for question in SENTENCES[::4] for passage in SENTENCES[::2]]
    batches = list(pair_batches(folder, pairs, 512, 1))
    for engine in ENGINES:
        exact, rounded = (
            engine(folder, "classify", ONE_THREAD),
            engine(folder, "classify", EngineOptions(precision="int8", threads=1)),
        )
        found = parity(exact, rounded, batches)
        assert 0 < found.max_difference < found.spread
        assert found.kendall_tau > 0.85


def test_deberta_goes_through_transformers_and_the_light_engines_say_so(tmp_path):
    config = AutoConfig.for_model(
        "deberta-v2", vocab_size=200, hidden_size=48, num_hidden_layers=3, num_attention_heads=4, intermediate_size=96,
        num_labels=1, relative_attention=True, position_buckets=16, norm_rel_ebd="layer_norm", share_att_key=True,
        pos_att_type=["p2c", "c2p"], position_biased_input=False, type_vocab_size=0, initializer_range=0.3,
    )  # fmt: skip
    AutoModelForSequenceClassification.from_config(config).save_pretrained(tmp_path)
    batch = batch_of((1, 3, 40, 120), width=128)
    wanted = reference(tmp_path, batch)
    engine = open_engine(tmp_path, "classify", EngineOptions(threads=1))  # auto: the only one that can
    assert engine.name == "torch"
    assert np.abs(engine.run(batch) - wanted).max() < TOLERANCE
    for light in ENGINES:
        with pytest.raises(InputError, match=r"its architecture is 'deberta-v2'.*use the engine torch"):
            light(tmp_path, "classify", ONE_THREAD)


def test_a_rotation_keeps_lengths_and_turns_nothing_at_the_first_token():
    cosines, sines = Rotation(160_000.0, 1.5).tables(40, 12)
    assert cosines.dtype == np.float32
    assert np.allclose(cosines**2 + sines**2, 1, atol=1e-6)
    assert np.array_equal(cosines[0], np.ones(12))
    assert np.array_equal(sines[0], np.zeros(12))


def test_a_modernbert_colbert_scores_alike_on_every_engine(tmp_path):
    folder = write_pylate(tmp_path / "colbert")
    vocabulary = len(json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"]) + 8
    encoder = make_rotary(tmp_path / "encoder", "modernbert", vocabulary, hidden_size=HIDDEN)
    AutoModel.from_pretrained(encoder).save_pretrained(folder)
    question, passages = SENTENCES[0], SENTENCES[1:]
    found = []
    for name in ("torch", "onnx", "openvino"):
        scorer = open_late_interaction(folder, engine_options=EngineOptions(name, threads=1))
        found.append(np.array([one.score for one in scorer.score(question, passages)]))
    assert np.std(found[0]) > 0.01
    for scores in found[1:]:
        assert np.abs(scores - found[0]).max() < TOLERANCE
