"""Layerwise and lightweight rerankers: what is refused, what is read of a checkpoint, long passages, half precision."""

from dataclasses import replace

import pytest
from safetensors.numpy import load_file, save_file
from tests.models.tiny_causal import make_causal
from tests.models.tiny_models import SENTENCES

from secondpass.errors import InputError
from secondpass.models.engine import EngineOptions
from secondpass.models.layerwise import open_layerwise
from secondpass.models.lightweight import Compression, open_lightweight
from secondpass.models.profile_records import RerankerProfile

LAYERWISE = RerankerProfile("tiny-layerwise", "layerwise", "logit", 1024, "bge-minicpm-layerwise")
LIGHTWEIGHT = RerankerProfile("tiny-lightweight", "lightweight", "logit", 1024, "bge-gemma2-lightweight")
HALVES = Compression(4, 2, (2,))
PASSAGES = [SENTENCES[5], SENTENCES[0], SENTENCES[12]]


def open_tiny(kind, folder, profile=None, options=None):
    if kind == "minicpm":
        return open_layerwise(folder, profile or LAYERWISE, options, cutoff_layer=3)
    return open_lightweight(folder, profile or LIGHTWEIGHT, options, compression=HALVES)


def raw(scorer, query="长江有多长？", passages=PASSAGES):
    return [score.score for score in scorer.score(query, passages)]


@pytest.mark.parametrize("kind", ["minicpm", "gemma2"])
def test_a_checkpoint_in_several_files_is_read_and_layers_beyond_the_cutoff_are_not_needed(tmp_path, kind):
    expected = raw(open_tiny(kind, make_causal(tmp_path / "one", kind)))
    folder = make_causal(tmp_path / "several", kind)
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    needed = {name: values for name, values in weights.items() if ".layers.5." not in name or kind == "minicpm"}
    needed = {name: values for name, values in needed.items() if ".layers.3." not in name or kind == "gemma2"}
    assert len(needed) < len(weights)
    for part in (0, 1):
        chosen = dict(list(needed.items())[part::2])
        save_file(chosen, folder / f"model-0000{part + 1}-of-00002.safetensors")
    assert raw(open_tiny(kind, folder)) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("kind", ["minicpm", "gemma2"])
def test_a_missing_tensor_is_named(tmp_path, kind):
    folder = make_causal(tmp_path, kind)
    weights = load_file(folder / "model.safetensors")
    del weights["model.layers.1.mlp.up_proj.weight"]
    save_file(weights, folder / "model.safetensors")
    with pytest.raises(InputError, match=r"not the tensor 'model\.layers\.1\.mlp\.up_proj\.weight'"):
        open_tiny(kind, folder)


@pytest.mark.parametrize("cutoff", [1, 5, 28])
def test_a_layer_without_a_head_is_refused(tmp_path, cutoff):
    folder = make_causal(tmp_path, "minicpm")
    with pytest.raises(InputError, match=rf"cutoff_layer is {cutoff}; .* gives scores after layers 2 to 4"):
        open_layerwise(folder, LAYERWISE, cutoff_layer=cutoff)


def test_checkpoints_that_are_computed_in_another_way_are_refused(tmp_path):
    cases = (
        ("minicpm", {"head_type": "complex"}, "head_type = 'complex'; accepted is 'simple'"),
        ("minicpm", {"rope_scaling": {"type": "dynamic", "factor": 2.0}}, "rope_scaling"),
        ("gemma2", {"layer_wise": False}, "layer_wise = False; accepted is True"),
    )
    for index, (kind, fields, words) in enumerate(cases):
        folder = make_causal(tmp_path / str(index), kind, **fields)
        with pytest.raises(InputError, match=words):
            open_tiny(kind, folder)
    with pytest.raises(InputError, match="compress_ratio is 3; accepted are 1, 2, 4 and 8"):
        open_lightweight(make_causal(tmp_path / "gemma2", "gemma2"), LIGHTWEIGHT, compression=Compression(4, 3, (2,)))


@pytest.mark.parametrize("kind", ["minicpm", "gemma2"])
@pytest.mark.parametrize("text", [SENTENCES[1] * 40, SENTENCES[13] * 40], ids=["zh", "en"])
def test_a_long_passage_is_read_in_windows(tmp_path, kind, text):
    folder = make_causal(tmp_path, kind)
    profile = replace(LAYERWISE if kind == "minicpm" else LIGHTWEIGHT, max_tokens=320)
    (score,) = open_tiny(kind, folder, profile).score("长江有多长？", [text])
    assert score.windows > 1
    assert not score.truncated
    window = text[score.span.start : score.span.end]
    assert score.score == pytest.approx(raw(open_tiny(kind, folder), passages=[window])[0], abs=1e-4)


@pytest.mark.parametrize("kind", ["minicpm", "gemma2"])
def test_bf16_is_near_and_has_a_fingerprint_of_its_own(tmp_path, kind):
    folder = make_causal(tmp_path, kind)
    exact, half = open_tiny(kind, folder), open_tiny(kind, folder, options=EngineOptions(precision="bf16"))
    assert raw(half) == pytest.approx(raw(exact), abs=0.2)
    assert half.fingerprint != exact.fingerprint


def test_another_layer_and_another_compression_have_other_fingerprints(tmp_path):
    layers = make_causal(tmp_path / "layers", "minicpm")
    assert open_layerwise(layers, LAYERWISE, cutoff_layer=2).fingerprint != open_tiny("minicpm", layers).fingerprint
    light = make_causal(tmp_path / "light", "gemma2")
    fewer = open_lightweight(light, LIGHTWEIGHT, compression=Compression(4, 4, (2,)))
    assert fewer.fingerprint != open_tiny("gemma2", light).fingerprint
