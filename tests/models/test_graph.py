"""The graphs we write ourselves give what transformers gives, in both engines that run them; so does numpy alone."""

import json

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file
from tests.models.encoder_folders import KINDS, VOCABULARY, batch_of, make_encoder, reference
from tests.models.tiny_models import SENTENCES
from transformers import AutoModelForSequenceClassification

from secondpass.errors import InputError
from secondpass.models import quantize
from secondpass.models.engine import Batch, EngineOptions
from secondpass.models.graph_export import export_onnx
from secondpass.models.numpy_encoder import NumpyEngine
from secondpass.models.onnx import OnnxEngine
from secondpass.models.openvino import OpenVinoEngine
from secondpass.models.tokenizer import TextTokenizer

ENGINES = (OnnxEngine, OpenVinoEngine, NumpyEngine)
ONE_THREAD = EngineOptions(threads=1)
TOLERANCE = 1e-4
ROUNDING = 3e-5  # float32 sums in another order: 1.1e-5 was seen


pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    base = tmp_path_factory.mktemp("encoders")
    return {kind: make_encoder(base / kind, kind) for kind in KINDS}


@pytest.fixture(scope="module")
def opened(folders):
    return {
        (engine, kind, head): engine(folders[kind], head, ONE_THREAD)
        for engine in ENGINES
        for kind in KINDS
        for head in ("classify", "tokens")
    }


@pytest.mark.parametrize("head", ["classify", "tokens"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_architecture_gives_what_transformers_gives(opened, folders, kind, head):
    batch = batch_of((1, 2, 3, 17, 64, 200, 511, 512), width=512)
    wanted = reference(folders[kind], batch, head)
    for engine in ENGINES:
        found = opened[engine, kind, head].run(batch)
        assert found.dtype == np.float32
        assert found.shape == wanted.shape
        assert np.abs(found - wanted).max() < TOLERANCE


@pytest.mark.parametrize("engine", ENGINES)
@settings(max_examples=15, deadline=None)
@given(lengths=st.lists(st.integers(1, 90), min_size=1, max_size=6), extra=st.integers(0, 40), seed=st.integers(0, 99))
def test_neighbours_order_and_padding_change_nothing(opened, engine, lengths, extra, seed):
    batch = batch_of(lengths, seed, max(lengths) + extra)
    for kind in ("bert", "xlm-roberta"):
        together = opened[engine, kind, "classify"].run(batch)
        for index, ids in enumerate(batch.ids):
            alone = Batch((ids,), (batch.second_starts[index],), len(ids))
            assert np.abs(opened[engine, kind, "classify"].run(alone)[0] - together[index]).max() < ROUNDING


def test_chinese_and_english_sentences_give_what_transformers_gives(tiny_bert, tiny_xlmr):
    for folder in (tiny_bert, tiny_xlmr):
        texts = TextTokenizer(folder).encode(SENTENCES)
        batch = Batch(tuple(text.ids for text in texts), tuple(len(text) // 2 for text in texts), 96)
        wanted = reference(folder, batch)
        for engine in ENGINES:
            assert np.abs(engine(folder, "classify", ONE_THREAD).run(batch) - wanted).max() < TOLERANCE


@pytest.mark.parametrize("engine", ENGINES)
def test_thousands_of_tokens_stay_exact(engine, tmp_path):
    folder = make_encoder(tmp_path / "long", "xlm-roberta", labels=1, positions=8192)
    batch = batch_of((3000, 1))
    assert np.abs(engine(folder, "classify", ONE_THREAD).run(batch) - reference(folder, batch)).max() < TOLERANCE


@pytest.mark.parametrize("engine", ENGINES)
def test_tokens_that_are_not_attended_are_computed_but_not_seen(opened, folders, engine):
    batch = batch_of((20, 32, 7), attended=(20, 9, 7))
    wanted = reference(folders["bert"], batch, "tokens")
    assert np.abs(opened[engine, "bert", "tokens"].run(batch) - wanted).max() < TOLERANCE


@pytest.mark.parametrize("engine", ENGINES)
def test_a_projection_is_applied_and_vectors_have_length_one(folders, engine):
    projection = np.random.default_rng(3).standard_normal((16, 48)).astype(np.float32)
    batch = batch_of((5, 30, 1))
    found = engine(folders["bert"], "tokens", ONE_THREAD, projection).run(batch)
    wanted = reference(folders["bert"], batch, "tokens") @ projection.T
    wanted /= np.linalg.norm(wanted, axis=1, keepdims=True)
    assert found.shape == (36, 16)
    assert np.abs(found - wanted).max() < TOLERANCE
    other = engine(folders["bert"], "tokens", ONE_THREAD, projection[:4]).run(batch)
    assert other.shape == (36, 4)  # another projection is another graph in the cache


@pytest.mark.parametrize("engine", ENGINES)
def test_a_text_that_spells_the_padding_token_is_read_as_roberta_reads_it(opened, folders, engine):
    ids = np.array([0, 7, 1, 8, 1, 1, 9, 2], dtype=np.int64)
    batch = Batch((ids, ids[:3]), (8, 3), 10)
    wanted = reference(folders["xlm-roberta"], batch)
    assert np.abs(opened[engine, "xlm-roberta", "classify"].run(batch) - wanted).max() < TOLERANCE


@pytest.mark.parametrize("activation", ["gelu_new", "relu"])
def test_other_activations_are_computed_exactly(activation, tmp_path):
    folder = make_encoder(tmp_path / "model", "bert", hidden_act=activation)
    batch = batch_of((3, 40))
    for engine in ENGINES:
        assert np.abs(engine(folder, "classify", ONE_THREAD).run(batch) - reference(folder, batch)).max() < TOLERANCE


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_weights_are_widened_exactly(folders, tmp_path, dtype):
    halved = tmp_path / "half"
    AutoModelForSequenceClassification.from_pretrained(folders["bert"]).to(getattr(torch, dtype)).save_pretrained(
        halved
    )
    widened = tmp_path / "wide"
    AutoModelForSequenceClassification.from_pretrained(halved, dtype=torch.float32).save_pretrained(widened)
    batch = batch_of((9, 33))
    found = OnnxEngine(halved, "classify", ONE_THREAD).run(batch)
    assert np.abs(found - reference(widened, batch)).max() < TOLERANCE


@pytest.mark.parametrize("head", ["classify", "tokens"])
@pytest.mark.parametrize("kind", ["bert", "xlm-roberta", "distilbert"])
def test_heads_of_which_nothing_is_taken_are_left_out(folders, tmp_path, kind, head):
    """In one layer some, in another all of them: scores stay, and the graph's weights are fewer."""
    tensors = dict(load_file(folders[kind] / "model.safetensors"))
    part = "attention.out_lin" if kind == "distilbert" else "attention.output.dense"
    for layer, columns in (("0", slice(12, 36)), ("1", slice(0, 48))):
        name = next(name for name in tensors if f".layer.{layer}.{part}.weight" in name)
        tensors[name] = tensors[name].copy()
        tensors[name][:, columns] = 0
    save_file(tensors, tmp_path / "model.safetensors", metadata={"format": "pt"})
    (tmp_path / "config.json").write_bytes((folders[kind] / "config.json").read_bytes())
    batch = batch_of((9, 33, 1, 120))
    wanted = reference(tmp_path, batch, head)
    for engine in ENGINES:
        assert np.abs(engine(tmp_path, head, ONE_THREAD).run(batch) - wanted).max() < TOLERANCE
    sizes = []
    for name, folder in (("small", tmp_path), ("whole", folders[kind])):
        (tmp_path / name).mkdir()
        export_onnx(folder, tmp_path / name, head)
        sizes.append(sum(file.stat().st_size for file in (tmp_path / name).iterdir()))
    heads_left_out = 2 + 3  # of the layer that takes nothing one stays
    assert sizes[1] - sizes[0] >= heads_left_out * 4 * 12 * 48 * 4


def test_layer_norms_under_their_old_names_are_found(folders, tmp_path):
    tensors = load_file(folders["bert"] / "model.safetensors")
    renamed = {
        name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): tensor
        for name, tensor in tensors.items()
    }
    save_file(renamed, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_bytes((folders["bert"] / "config.json").read_bytes())
    batch = batch_of((9, 33))
    found = OnnxEngine(tmp_path, "classify", ONE_THREAD).run(batch)
    assert np.abs(found - reference(folders["bert"], batch)).max() < TOLERANCE


@pytest.mark.parametrize("head", ["classify", "tokens"])
@pytest.mark.parametrize("kind", KINDS)
def test_an_exported_file_runs_anywhere_with_the_inputs_of_transformers(folders, tmp_path, kind, head):
    export_onnx(folders[kind], tmp_path, head)
    (tmp_path / "config.json").write_bytes((folders[kind] / "config.json").read_bytes())
    batch = batch_of((30, 4, 17), width=33, attended=(30, 3, 17))
    wanted = reference(folders[kind], batch, head)
    for engine in (OnnxEngine, OpenVinoEngine):  # as they run the files that others made
        assert np.abs(engine(tmp_path, head, ONE_THREAD).run(batch) - wanted).max() < TOLERANCE
    loaded = onnx.load(tmp_path / "model.onnx")
    onnx.checker.check_model(loaded, full_check=True)


def test_a_second_start_writes_nothing(folders, monkeypatch):
    OnnxEngine(folders["bert"], "classify", ONE_THREAD)

    def refuse(*_):
        raise AssertionError("the graph was written again")

    monkeypatch.setattr("secondpass.models.graph_encoder.EncoderGraph.write", refuse)
    assert OpenVinoEngine(folders["bert"], "classify", ONE_THREAD).run(batch_of((4,))).shape == (1, 3)


def test_a_sequence_longer_than_the_model_is_refused(opened):
    with pytest.raises(InputError, match=r"513 tokens is longer than the model .* reads \(512\)"):
        opened[OnnxEngine, "xlm-roberta", "classify"].run(batch_of((513,)))


def test_a_token_of_another_vocabulary_is_refused(opened):
    batch = Batch((np.array([3, VOCABULARY], dtype=np.int64),), (2,), 2)
    with pytest.raises(InputError, match="not below 200"):
        opened[OnnxEngine, "bert", "classify"].run(batch)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"model_type": "deberta-v2"}, "its architecture is 'deberta-v2'"),
        ({"hidden_act": "swish"}, "its activation is 'swish'"),
        ({"position_embedding_type": "relative_key"}, "its positions are 'relative_key'"),
        ({"num_attention_heads": 5}, "which 5 heads do not divide"),
        ({"num_hidden_layers": 9}, "hold no 'bert.encoder.layer.3"),
    ],
)
def test_what_cannot_be_computed_exactly_is_refused(folders, tmp_path, change, words):
    config = json.loads((folders["bert"] / "config.json").read_text(encoding="utf-8")) | change
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (tmp_path / "model.safetensors").write_bytes((folders["bert"] / "model.safetensors").read_bytes())
    with pytest.raises(InputError, match=words):
        OnnxEngine(tmp_path, "classify", ONE_THREAD)


def test_calibration_texts_are_chinese_and_english_and_cut_to_the_model(tiny_bert):
    texts = quantize.calibration_texts()
    assert len(texts) > 100
    chinese = sum(any("一" <= char <= "鿿" for char in passage) for _, passage in texts)
    assert 0.4 < chinese / len(texts) < 0.6
    batches = list(quantize.pair_batches(tiny_bert, texts, 40, 2))
    assert max(len(batch.ids[0]) for batch in batches) <= 40
    assert all(batch.width == len(batch.ids[0]) for batch in batches)
