"""jina's XLM-R is computed from its safetensors, without its code, and gives what its published arithmetic gives."""

from __future__ import annotations

import json
import math
import string
from pathlib import Path
from unicodedata import normalize

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from tests.models.encoder_folders import batch_of, reference
from tests.models.jina_folders import HIDDEN, MARKERS, make_jina, make_jina_colbert, plain
from tests.models.model_folders import write_json, write_model
from tests.models.tiny_models import SENTENCES
from tokenizers import Tokenizer

from secondpass.errors import InputError
from secondpass.models.checkpoint import read_checkpoint, reranker_family
from secondpass.models.colbert_settings import read_projection, read_settings
from secondpass.models.cross_encoder import open_cross_encoder, read_cross_encoder
from secondpass.models.engine import Batch, EngineOptions
from secondpass.models.engines import open_engine
from secondpass.models.graph_export import export_onnx
from secondpass.models.jina_layout import StoredAt, usual_places
from secondpass.models.late_interaction_scorer import open_late_interaction
from secondpass.models.onnx import OnnxEngine
from secondpass.models.profiles import find_profile

ENGINES = ("openvino", "onnx", "torch")
POSITIONS = ("absolute", "rotary")
TOLERANCE = 1e-4


pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    base = tmp_path_factory.mktemp("jina")
    return {positions: make_jina(base / positions, positions, labels=3) for positions in POSITIONS}


def opened(folder, head="classify", name="onnx"):
    return open_engine(folder, head, EngineOptions(name, threads=1))


@pytest.fixture(scope="module")
def engines(folders):
    return {
        (name, positions, head): opened(folders[positions], head, name)
        for name in ENGINES
        for positions in POSITIONS
        for head in ("classify", "tokens")
    }


@pytest.mark.parametrize("head", ["classify", "tokens"])
@pytest.mark.parametrize("positions", POSITIONS)
@pytest.mark.parametrize("name", ENGINES)
def test_every_engine_gives_what_the_published_arithmetic_gives(engines, folders, name, positions, head):
    batch = batch_of((1, 2, 3, 8, 9, 17, 64, 65, 129, 300, 512), width=512)
    found, wanted = engines[name, positions, head].run(batch), plain(folders[positions], batch, head)
    assert found.shape == wanted.shape
    assert wanted.std() > 0.1
    assert np.abs(found - wanted).max() < TOLERANCE


@pytest.mark.parametrize(("positions", "limit"), [("absolute", 1024), ("rotary", 8192)])
def test_the_longest_input_is_exact_and_a_longer_one_is_refused(tmp_path, positions, limit):
    sizes = {"num_attention_heads": 1, "num_hidden_layers": 2, "hidden_size": 16}
    folder = make_jina(tmp_path / positions, positions, limit, **sizes)
    batch = batch_of((limit,))
    wanted = plain(folder, batch)
    for name in ENGINES:
        engine = opened(folder, name=name)
        assert np.abs(engine.run(batch) - wanted).max() < TOLERANCE
        with pytest.raises(InputError, match=str(limit)):
            engine.run(batch_of((limit + 1,)))


def test_the_plain_arithmetic_is_that_of_transformers(folders, tmp_path):
    batch = batch_of((1, 7, 80, 200))
    turned = tmp_path / "turned"  # transformers knows the embedder of this layout, and reads its names by itself
    config = json.loads((folders["rotary"] / "config.json").read_text(encoding="utf-8"))
    del config["auto_map"]
    rotation = {"rope_type": "default", "rope_theta": config["rotary_emb_base"]}
    kind = {"model_type": "jina_embeddings_v3", "architectures": ["JinaEmbeddingsV3ForSequenceClassification"]}
    write_json(turned / "config.json", config | kind | {"rope_parameters": rotation})
    save_file(load_file(folders["rotary"] / "model.safetensors"), turned / "model.safetensors", {"format": "pt"})
    assert np.abs(plain(folders["rotary"], batch) - reference(turned, batch)).max() < TOLERANCE
    added = as_native(folders["absolute"], tmp_path / "added")
    assert np.abs(plain(folders["absolute"], batch) - reference(added, batch)).max() < TOLERANCE


def as_native(folder: Path, target: Path) -> Path:
    """Write the same classifier as transformers' own XLM-R, names and matrices undone by hand."""
    tensors, native = load_file(folder / "model.safetensors"), {}
    for name, value in tensors.items():
        usual = name.replace("encoder.layers.", "encoder.layer.").replace("emb_ln", "embeddings.LayerNorm")
        usual = usual.replace("mixer.out_proj", "attention.output.dense").replace("mlp.fc1", "intermediate.dense")
        usual = usual.replace("mlp.fc2", "output.dense").replace("norm1", "attention.output.LayerNorm")
        usual = usual.replace("norm2", "output.LayerNorm")
        if "mixer.Wqkv" in usual:
            for part, rows in zip(("query", "key", "value"), value.split(HIDDEN), strict=True):
                native[usual.replace("mixer.Wqkv", f"attention.self.{part}")] = rows.clone()
        else:
            native[usual] = value
    config = json.loads((folder / "config.json").read_text(encoding="utf-8")) | {"model_type": "xlm-roberta"}
    del config["auto_map"]
    write_json(target / "config.json", config)
    save_file(native, target / "model.safetensors", {"format": "pt"})
    return target


@pytest.mark.parametrize("positions", POSITIONS)
@pytest.mark.parametrize("name", ENGINES)
@settings(max_examples=8, deadline=None)
@given(lengths=st.lists(st.integers(1, 90), min_size=1, max_size=6), extra=st.integers(0, 40), seed=st.integers(0, 99))
def test_neighbours_order_and_padding_change_nothing(engines, name, positions, lengths, extra, seed):
    engine = engines[name, positions, "classify"]
    batch = batch_of(lengths, seed, max(lengths) + extra)
    together = engine.run(batch)
    for index, ids in enumerate(batch.ids):
        alone = engine.run(Batch((ids,), (batch.second_starts[index],), len(ids)))
        assert np.abs(alone[0] - together[index]).max() < 2e-5


@pytest.mark.parametrize("positions", POSITIONS)
@pytest.mark.parametrize("name", ENGINES)
def test_tokens_that_are_not_attended_and_padding_tokens_within_a_text_are_exact(engines, folders, name, positions):
    batch = batch_of((6, 8, 3), attended=(6, 4, 3))
    found = engines[name, positions, "tokens"].run(batch)
    assert np.abs(found - plain(folders[positions], batch, "tokens")).max() < TOLERANCE
    spelled = Batch((np.array([0, 9, 1, 11, 1, 12, 2], np.int64),), (7,), 9)
    found = engines[name, positions, "classify"].run(spelled)
    assert np.abs(found - plain(folders[positions], spelled)).max() < TOLERANCE


@pytest.mark.parametrize("positions", POSITIONS)
def test_an_exported_file_runs_with_the_inputs_of_transformers(folders, tmp_path, positions):
    export_onnx(folders[positions], tmp_path, "classify")
    write_json(tmp_path / "config.json", {"pad_token_id": 1})
    batch = batch_of((30, 4, 17), width=33, attended=(30, 3, 17))
    found = OnnxEngine(tmp_path, "classify", EngineOptions(threads=1)).run(batch)
    assert np.abs(found - plain(folders[positions], batch)).max() < TOLERANCE


@pytest.mark.parametrize("name", ENGINES)
def test_the_reranker_scores_chinese_and_english_pairs_as_published(tmp_path, name):
    folder = make_jina(tmp_path / "jina-reranker-v2-base-multilingual", limit=1024)
    profile = find_profile(folder)
    assert profile is not None
    assert profile.name == "jinaai/jina-reranker-v2-base-multilingual"
    scorer = open_cross_encoder(folder, profile, EngineOptions(name, threads=1))
    assert scorer.max_tokens == 1024
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    for question in (SENTENCES[0], SENTENCES[11]):
        ids = [np.array(tokenizer.encode(question, passage).ids, np.int64) for passage in SENTENCES]
        batch = Batch(tuple(ids), tuple(len(one) for one in ids), max(len(one) for one in ids))
        found = np.array([one.score for one in scorer.score(question, SENTENCES)])
        assert found.std() > 0.01
        assert np.abs(found - plain(folder, batch)[:, 0]).max() < TOLERANCE


@pytest.mark.parametrize("name", ENGINES)
def test_the_colbert_scores_chinese_and_english_passages_as_published(tmp_path, name):
    folder = make_jina_colbert(tmp_path / "jina-colbert-v2")
    assert reranker_family(read_checkpoint(folder), find_profile(folder)) == "late-interaction"
    chosen = read_settings(folder)
    assert (chosen.position_limit, chosen.query_length, chosen.expansion_token) == (256, 32, "<mask>")
    scorer = open_late_interaction(folder, engine_options=EngineOptions(name, threads=1))
    # The vectors of punctuation are left out, also of full-width marks, which the tokenizer makes the same tokens.
    passages = [normalize("NFKC", text).translate(dict.fromkeys(map(ord, string.punctuation))) for text in SENTENCES]
    for question in (SENTENCES[3], SENTENCES[14]):
        found = [one.score for one in scorer.score(question, passages)]
        wanted = [published_maxsim(folder, question, passage) for passage in passages]
        assert found == pytest.approx(wanted, abs=TOLERANCE)


def published_maxsim(folder: Path, question: str, passage: str) -> float:
    """Return the score of ColBERT (arXiv:2004.12832), the question filled up with masks that nobody looks at."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    query_marker, document_marker, mask = (tokenizer.token_to_id(token) for token in (*MARKERS, "<mask>"))

    def vectors(marker: int, text: str, length: int) -> np.ndarray:
        first, *rest = tokenizer.encode(text).ids
        ids = np.array([first, marker, *rest], np.int64)
        filled = np.concatenate([ids, np.full(max(0, length - len(ids)), mask, np.int64)])
        batch = Batch((filled,), (len(filled),), len(filled), (len(ids),))
        projected = plain(folder, batch, "tokens") @ read_projection(folder).T
        return np.asarray(projected / np.linalg.norm(projected, axis=1, keepdims=True))

    return float((vectors(query_marker, question, 32) @ vectors(document_marker, passage, 0).T).max(1).sum())


def test_the_checkpoint_needs_no_code_and_knows_its_own_limits(tmp_path):
    folder = make_jina(tmp_path / "jina", limit=1024)
    checkpoint = read_checkpoint(folder)
    assert not checkpoint.needs_own_code
    assert (checkpoint.kind, checkpoint.labels) == ("cross-encoder", ("LABEL_0",))
    assert reranker_family(checkpoint, None) == "cross-encoder"
    assert read_cross_encoder(folder).rules.max_tokens == 1024


def test_weights_in_sixteen_bits_are_read_as_they_are(tmp_path):
    folder = make_jina(tmp_path / "jina")
    halves = {name: value.bfloat16() for name, value in load_file(folder / "model.safetensors").items()}
    save_file(halves, folder / "model.safetensors")
    batch = batch_of((5, 40))
    for name in ENGINES:
        assert np.abs(opened(folder, name=name).run(batch) - plain(folder, batch)).max() < TOLERANCE


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"lora_adaptations": ["retrieval.query", "separation"]}, "LoRA adapters for several tasks"),
        ({"rotary_emb_dim": 6}, "only a part of each attention head"),
        ({"rotary_emb_interleaved": True}, "neighbouring numbers are turned together"),
        ({"rotary_emb_scale_base": 512}, r"fades with the distance \(xPos\)"),
        ({"rope_scaling": {"type": "yarn", "factor": 4.0}}, "scaled by 'yarn'"),
        ({"position_embedding_type": "alibi"}, "positions are 'alibi'"),
        ({"hidden_act": "swish"}, "activation is 'swish'"),
    ],
)
def test_what_of_this_layout_is_not_known_is_refused_with_a_sentence(tmp_path, change, words):
    folder = make_jina(tmp_path / "宽", "rotary")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    write_json(folder / "config.json", config | change)
    for name in ENGINES[:2]:
        with pytest.raises(InputError, match=words):
            opened(folder, name=name)
    if not {"hidden_act", "position_embedding_type"} & change.keys():
        with pytest.raises(InputError, match=rf"which is never run \(.*{words}.*ONNX export"):
            reranker_family(read_checkpoint(folder), None)


@pytest.mark.parametrize("layer", ["mlp.gated_layers.weight", "mlp.up_gated_layer.weight"])
def test_jinabert_still_needs_an_onnx_file_and_is_never_taken_for_bert(tmp_path, layer):
    config = {
        "architectures": ["BertForSequenceClassification"],
        "model_type": "bert",
        "position_embedding_type": "alibi",
        "id2label": {"0": "LABEL_0"},
        "auto_map": {"AutoConfig": "configuration_bert.JinaBertConfig"},
    }
    folder = write_model(tmp_path / "jina-reranker-v1-turbo-en", config)
    known = load_file(folder / "model.safetensors")
    save_file(known | {f"bert.encoder.layer.0.{layer}": torch.ones(4, 2)}, folder / "model.safetensors")
    with pytest.raises(InputError, match="code from its own repository, which is never run"):
        reranker_family(read_checkpoint(folder), None)
    with pytest.raises(InputError, match="positions are 'alibi'"):
        opened(folder)


def test_names_of_other_layouts_stay_as_they_are():
    names = ["bert.encoder.layer.0.attention.self.query.weight", "classifier.weight", "linear.weight"]
    assert usual_places(names) == {name: StoredAt(name) for name in names}


def test_a_fused_matrix_is_three_of_its_thirds():
    places = usual_places(["encoder.layers.11.mixer.Wqkv.bias", "encoder.layers.0.mixer.Wqkv.weight", "emb_ln.bias"])
    assert places["embeddings.LayerNorm.bias"] == StoredAt("emb_ln.bias")
    thirds = [places[f"encoder.layer.11.attention.self.{part}.bias"] for part in ("query", "key", "value")]
    assert [one.rows(36) for one in thirds] == [slice(0, 12), slice(12, 24), slice(24, 36)]
    assert math.prod(one.count for one in thirds) == 27
