"""The packed forward against transformers: classifiers and token vectors, any batch, both precisions."""

import itertools
import logging

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file
from tests.models.tiny_models import Shape, make_model
from transformers import (
    AutoModel,
    AutoModelForSequenceClassification,
    DistilBertConfig,
    DistilBertForSequenceClassification,
)

from secondpass.errors import InputError
from secondpass.models import torch_attention, torch_encoder
from secondpass.models.engine import Batch, EngineOptions
from secondpass.models.torch_attention import Layout, attend, bounds
from secondpass.models.torch_encoder import TorchEncoderEngine
from secondpass.models.torch_engine import open_torch_engine
from secondpass.models.torch_linear import make_linear, packed_weights_work
from secondpass.models.transformers_encoder import TransformersEncoderEngine

KINDS = ("bert", "xlm-roberta", "roberta")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    base = tmp_path_factory.mktemp("encoders")
    return {kind: make_model(base / kind, Shape(kind, labels=3)) for kind in KINDS}


@pytest.fixture(scope="module")
def references(folders):
    loaders = {"classify": AutoModelForSequenceClassification, "tokens": AutoModel}
    return {
        (kind, head): loader.from_pretrained(folder, attn_implementation="eager").eval()
        for kind, folder in folders.items()
        for head, loader in loaders.items()
    }


@pytest.fixture(scope="module")
def engines(folders):
    return {
        (kind, head, precision): TorchEncoderEngine(folder, head, EngineOptions(precision=precision))
        for kind, folder in folders.items()
        for head in ("classify", "tokens")
        for precision in ("f32", "bf16")
    }


def batch_of(lengths, seed=0, attended=None, vocabulary=200):
    rng = np.random.default_rng(seed)
    ids = tuple(rng.integers(3, vocabulary, length) for length in lengths)
    return Batch(ids, tuple(int(length * 0.3) for length in lengths), max(lengths), attended)


def expected(reference, batch: Batch, kind: str):
    rows = []
    for index, (ids, second) in enumerate(zip(batch.ids, batch.second_starts, strict=True)):
        seen = batch.attended[index] if batch.attended else len(ids)
        mask = torch.tensor([[int(i < seen) for i in range(len(ids))]])
        feed = {"input_ids": torch.from_numpy(ids)[None], "attention_mask": mask}
        if kind == "bert":
            feed["token_type_ids"] = torch.tensor([[int(i >= second) for i in range(len(ids))]])
        with torch.inference_mode():
            output = reference(**feed)
        rows.append((output.logits if "logits" in output else output.last_hidden_state[0]).numpy())
    return np.concatenate(rows)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("head", ["classify", "tokens"])
@pytest.mark.parametrize(("precision", "tolerance"), [("f32", 1e-5), ("bf16", 0.12)])
def test_outputs_are_those_of_transformers(engines, references, kind, head, precision, tolerance):
    batch = batch_of([1, 2, 7, 64, 129, 500])
    got = engines[kind, head, precision].run(batch)
    assert got.dtype == np.float32
    difference = np.abs(got - expected(references[kind, head], batch, kind))
    # A single number of thousands may be off by more in bfloat16; a wrong layer is off everywhere.
    assert (difference.max() if precision == "f32" else np.quantile(difference, 0.99)) < tolerance


@settings(max_examples=25, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 90), min_size=1, max_size=6), seed=st.integers(0, 99), kind=st.sampled_from(KINDS)
)
def test_a_sequence_has_the_same_logits_beside_any_neighbours(engines, lengths, seed, kind):
    batch = batch_of(lengths, seed)
    together = engines[kind, "classify", "f32"].run(batch)
    for index in range(len(lengths)):
        alone = Batch(batch.ids[index : index + 1], batch.second_starts[index : index + 1], lengths[index])
        assert np.abs(engines[kind, "classify", "f32"].run(alone)[0] - together[index]).max() < 3e-5


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("precision", "tolerance"), [("f32", 1e-5), ("bf16", 0.12)])
def test_tokens_that_are_not_to_be_looked_at_are_computed_but_not_seen(engines, references, kind, precision, tolerance):
    batch = batch_of([32, 9, 40], attended=(11, 9, 1))
    got = engines[kind, "tokens", precision].run(batch)
    difference = np.abs(got - expected(references[kind, "tokens"], batch, kind))
    assert np.quantile(difference, 0.99) < tolerance
    classified = engines[kind, "classify", "f32"].run(batch)
    assert np.abs(classified - expected(references[kind, "classify"], batch, kind)).max() < 1e-5


def test_a_text_that_spells_the_padding_token_is_read_as_transformers_reads_it(engines, references):
    batch = batch_of([20])
    batch.ids[0][[4, 9]] = 1
    got = engines["xlm-roberta", "classify", "f32"].run(batch)
    assert np.abs(got - expected(references["xlm-roberta", "classify"], batch, "xlm-roberta")).max() < 1e-5


def test_projected_token_vectors_have_length_one(folders, references):
    projection = np.random.default_rng(1).standard_normal((8, 32)).astype(np.float32)
    batch = batch_of([5, 30])
    got = TorchEncoderEngine(folders["bert"], "tokens", projection=projection).run(batch)
    raw = expected(references["bert", "tokens"], batch, "bert") @ projection.T
    assert got.shape == (35, 8)
    assert np.abs(got - raw / np.linalg.norm(raw, axis=1, keepdims=True)).max() < 1e-5


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("head", ["classify", "tokens"])
def test_the_padded_engine_of_transformers_gives_the_same_numbers(folders, engines, kind, head):
    batch = batch_of([3, 70, 41], attended=(3, 60, 41))
    padded = TransformersEncoderEngine(folders[kind], head)
    assert (padded.name, padded.precision) == ("torch", "f32")
    wider = Batch(batch.ids, batch.second_starts, 80, batch.attended)
    assert np.abs(padded.run(wider) - engines[kind, head, "f32"].run(batch)).max() < 1e-5


def test_another_architecture_is_computed_by_transformers_alone(tmp_path):
    torch.manual_seed(0)
    config = DistilBertConfig(vocab_size=300, dim=32, n_layers=2, n_heads=4, hidden_dim=64, num_labels=1)
    model = DistilBertForSequenceClassification(config).eval()
    model.save_pretrained(tmp_path)
    batch = batch_of([5, 40])
    with torch.inference_mode():
        alone = [float(model(torch.from_numpy(ids)[None]).logits) for ids in batch.ids]
    engine = open_torch_engine(tmp_path, "classify")
    assert isinstance(engine, TransformersEncoderEngine)
    assert engine.fallbacks
    assert np.abs(engine.run(batch)[:, 0] - alone).max() < 1e-5
    with pytest.raises(InputError, match=r"architecture is 'distilbert'.*through transformers"):
        TorchEncoderEngine(tmp_path, "classify")


@pytest.mark.parametrize(("first", "second"), [(30.0, 30.0), (-12.0, 12.0)])
def test_scores_beyond_the_range_of_exp_take_the_slow_way(first, second):
    qkv = torch.randn((40, 3, 4, 16), generator=torch.Generator().manual_seed(3)).bfloat16()
    qkv[:20, 0, :, 0], qkv[:20, 1, :, 0] = first, second  # products of 900 and -144, in the first sequence alone
    got = attend(qkv, Layout((0, 20, 40), (20, 15))).float()
    for start, end, seen in ((0, 20, 20), (20, 40, 35)):
        query, (key, value) = qkv[start:end, 0].transpose(0, 1), qkv[start:seen, 1:].permute(1, 2, 0, 3)
        weights = torch.bmm(query, key.transpose(1, 2)).float().softmax(-1)
        exact = torch.bmm(weights, value.float()).transpose(0, 1).reshape(end - start, 64)
        assert (got[start:end] - exact).abs().max() < 0.05


@pytest.mark.parametrize("least", [1, 10**9])
def test_attention_of_a_batch_is_the_attention_of_each_sequence_alone(monkeypatch, least):
    qkv = torch.randn((50, 3, 2, 8), generator=torch.Generator().manual_seed(4))
    layout = Layout((0, 10, 50), (10, 33))
    scores = torch.einsum("qhd,khd->hqk", qkv[10:, 0], qkv[10:43, 1]).softmax(-1)
    alone = torch.einsum("hqk,khd->qhd", scores, qkv[10:43, 2]).reshape(40, 16)
    monkeypatch.setattr(torch_attention, "_LEAST_FOR_PRODUCTS", least)
    assert (attend(qkv, layout, packed_weights_work(torch.float32))[10:] - alone).abs().max() < 1e-6


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("activation", [None, "gelu", "tanh", "relu"])
def test_packed_products_agree_with_torchs_own(dtype, activation):
    if not packed_weights_work(dtype):
        pytest.skip("this torch has no packed products on this processor")
    x, weight, bias = (torch.randn(size, dtype=torch.float32) for size in ((33, 48), (20, 48), (20,)))
    packed = make_linear(weight.to(dtype), bias.to(dtype), packed=True, activation=activation)(x.to(dtype))
    plain = make_linear(weight, bias, packed=False, activation=activation)(x)
    assert (packed.float() - plain).abs().max() < (1e-4 if dtype == torch.float32 else 0.2)


def test_without_packed_products_the_numbers_stay_and_the_fallback_is_told(folders, engines, monkeypatch, caplog):
    monkeypatch.setattr(torch_encoder, "packed_weights_work", lambda dtype: False)
    with caplog.at_level(logging.WARNING):
        slow = TorchEncoderEngine(folders["bert"], "classify")
    assert "slower" in caplog.text
    assert slow.fallbacks
    assert not engines["bert", "classify", "f32"].fallbacks or not packed_weights_work(torch.float32)
    batch = batch_of([9, 31])
    assert np.abs(slow.run(batch) - engines["bert", "classify", "f32"].run(batch)).max() < 1e-5


def test_an_operator_that_gives_other_numbers_is_not_used(monkeypatch):
    monkeypatch.setattr("secondpass.models.torch_linear._packed", lambda weight, bias, activation: lambda x: x[:, :16])
    assert not packed_weights_work(torch.float32)


def test_packed_attention_gets_each_sequences_own_keys(monkeypatch):
    """The call for GPUs, with torch's CPU attention in place of the kernel."""

    seen = []
    kernel_on_cpu(monkeypatch, seen)
    qkv = torch.randn((50, 3, 2, 8), generator=torch.Generator().manual_seed(5))
    layout = Layout((0, 10, 50), (10, 33))
    assert bounds(layout.starts, layout.attended, torch.device("cpu")) is None
    there = bounds_on_cpu(monkeypatch, layout)
    assert there.rows.tolist() == [*range(43)]
    assert (torch_attention._attend_packed(qkv, there) - attend(qkv, layout)).abs().max() < 1e-6
    assert seen == [(40, 33, 0.0, False, False)]
    assert bounds_on_cpu(monkeypatch, Layout((0, 10, 50), (10, 40))).rows is None


def test_packed_attention_of_first_tokens_gives_what_padding_gives(monkeypatch):
    kernel_on_cpu(monkeypatch, [])
    draw = torch.Generator().manual_seed(6)
    query, query_bias, key, value, bias = (
        torch.randn(size, generator=draw) for size in ((16, 16), (16,), (2, 8, 16), (2, 16, 8), (16,))
    )
    first = torch_attention.FirstTokenAttention(query, query_bias, key, value, bias)
    x, layout = torch.randn((50, 16), generator=draw), Layout((0, 10, 50), (10, 33))
    queries = torch.nn.functional.linear(x[[0, 10]], query, query_bias)
    packed = first._packed(queries, x, bounds_on_cpu(monkeypatch, layout))
    assert (packed - first(x, layout)).abs().max() < 1e-4


def kernel_on_cpu(monkeypatch, seen):
    """Put torch's CPU attention in place of the kernel; ``seen`` hears what it was asked."""

    def kernel(query, key, value, query_starts, key_starts, *rest, scale):
        seen.append(rest)
        parts = []
        pairs = zip(itertools.pairwise(query_starts), itertools.pairwise(key_starts), strict=True)
        for (q0, q1), (k0, k1) in pairs:
            q, k, v = (x.transpose(0, 1)[None] for x in (query[q0:q1], key[k0:k1], value[k0:k1]))
            one = torch.nn.functional.scaled_dot_product_attention(
                q, k, v, scale=scale, is_causal=rest[3], enable_gqa=True
            )
            parts.append(one[0].transpose(0, 1))
        return (torch.cat(parts),)

    monkeypatch.setattr(torch_attention, "_flash_attention", kernel)
    monkeypatch.setattr(torch_attention, "_has_flash_attention", lambda device: True)


def bounds_on_cpu(monkeypatch, layout):
    class Cuda:
        type = "cuda"

    with monkeypatch.context() as patch:
        patch.setattr(torch_attention, "sent", lambda array, _: torch.from_numpy(array))
        return bounds(layout.starts, layout.attended, Cuda())


def test_old_names_of_norms_and_half_precision_files_are_read(folders, engines, tmp_path):
    weights = load_file(folders["bert"] / "model.safetensors")
    renamed = {
        name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): value
        for name, value in weights.items()
    }
    for name in ("config.json", "tokenizer.json"):
        (tmp_path / name).write_bytes((folders["bert"] / name).read_bytes())
    save_file({name: value.astype(np.float16) for name, value in renamed.items()}, tmp_path / "model.safetensors")
    batch = batch_of([9, 31])
    got = TorchEncoderEngine(tmp_path, "classify").run(batch)
    assert np.abs(got - engines["bert", "classify", "f32"].run(batch)).max() < 0.01


def test_what_runs_past_the_products_is_not_rounded_in_bf16(folders, tmp_path):
    weights = load_file(folders["bert"] / "model.safetensors")
    silent = {
        name: np.zeros_like(value) if name.endswith(("output.dense.weight", "output.dense.bias")) else value
        for name, value in weights.items()
    }
    for name in ("config.json", "tokenizer.json"):
        (tmp_path / name).write_bytes((folders["bert"] / name).read_bytes())
    save_file(silent, tmp_path / "model.safetensors")
    batch = batch_of([9, 31])
    exact, rounded = (
        TorchEncoderEngine(tmp_path, "tokens", EngineOptions(precision=precision)).run(batch)
        for precision in ("f32", "bf16")
    )
    assert np.abs(exact).max() > 0.5
    assert np.abs(rounded - exact).max() < 1e-5


def test_weights_that_are_missing_are_named(folders, tmp_path):
    (tmp_path / "config.json").write_bytes((folders["bert"] / "config.json").read_bytes())
    with pytest.raises(InputError, match=r"no model\.safetensors"):
        TorchEncoderEngine(tmp_path, "classify")
    weights = load_file(folders["bert"] / "model.safetensors")
    del weights["classifier.weight"]
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match=r"hold no 'classifier\.weight'"):
        TorchEncoderEngine(tmp_path, "classify")
    with pytest.raises(InputError, match=r"hold no 'classifier\.weight'"):
        TransformersEncoderEngine(tmp_path, "classify")
    (tmp_path / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(InputError, match="cannot be read as safetensors"):
        TorchEncoderEngine(tmp_path, "tokens")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (EngineOptions(precision="int8"), "f32 or bf16, not in int8"),
        (EngineOptions(device="显卡"), "no device '显卡'"),
        (EngineOptions(device="cuda:63"), "cuda:63 is not here"),
    ],
)
def test_what_torch_cannot_do_is_refused_with_a_sentence(folders, options, message):
    for engine in (TorchEncoderEngine, TransformersEncoderEngine):
        with pytest.raises(InputError, match=message):
            engine(folders["bert"], "classify", options)


def test_an_input_longer_than_the_models_positions_is_refused(engines):
    with pytest.raises(InputError, match="positions for 512 tokens; the input has 513"):
        engines["bert", "classify", "f32"].run(batch_of([513]))


@pytest.mark.parametrize(
    "error", [RuntimeError("DefaultCPUAllocator: can't allocate memory"), torch.OutOfMemoryError("CUDA out of memory")]
)
def test_running_out_of_memory_is_a_memory_error(engines, monkeypatch, error):
    def fail(*args):
        raise error

    monkeypatch.setattr(torch_encoder, "attend", fail)
    with pytest.raises(MemoryError):
        engines["bert", "classify", "f32"].run(batch_of([5]))
    monkeypatch.setattr(torch_encoder, "attend", lambda *args: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        engines["bert", "classify", "f32"].run(batch_of([5]))
