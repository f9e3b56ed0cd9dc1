"""Settings of one stage, and what only some families can be asked: from names and options to scores."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.models.colbert_checkpoints import write_pylate
from tests.models.tiny_causal import make_causal
from tests.models.tiny_models import SENTENCES, Shape, make_model
from tests.models.tiny_seq2seq import make_seq2seq

from secondpass import rerank_passages
from secondpass.config import RerankSpec
from secondpass.errors import InputError
from secondpass.models.engine import EngineOptions
from secondpass.models.late_interaction import LateInteractionOptions
from secondpass.models.late_interaction_scorer import open_late_interaction
from secondpass.models.layerwise import open_layerwise
from secondpass.models.lightweight import Compression, open_lightweight
from secondpass.models.profiles import find_profile
from secondpass.rerank.names import check_name, open_reranker, release_rerankers
from secondpass.rerank.options import RerankerOptions
from secondpass.rerank.stage_settings import parse_compress, with_settings

QUESTION = "长江有多长？"
PASSAGES = [*SENTENCES[:6], *SENTENCES[11:17]]
MONO, QWEN = "castorini/monot5-base-msmarco", "Qwen/Qwen3-Reranker-0.6B"
LAYERWISE, LIGHTWEIGHT = "bge-reranker-v2-minicpm-layerwise", "bge-reranker-v2.5-gemma2-lightweight"
ONNX = RerankerOptions(EngineOptions("onnx", threads=1))


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("stages")
    make_model(base / "小模型", Shape("bert"))
    make_causal(base / "qwen3", "qwen3")
    make_causal(base / LAYERWISE, "minicpm")
    make_causal(base / LIGHTWEIGHT, "gemma2")
    make_seq2seq(base / "t5")
    write_pylate(base / "colbert")
    return base


@pytest.fixture(autouse=True)
def nothing_stays_open() -> Iterator[None]:
    release_rerankers()
    yield
    release_rerankers()


def scores(name: str, options: RerankerOptions | None = None, passages: list[str] = PASSAGES) -> list[float]:
    """Return the scores of ``passages``, in their order."""
    hits = rerank_passages(QUESTION, passages, rerank=f"{name}@all", options=options)
    return [hit.score for hit in sorted(hits, key=lambda hit: int(hit.chunk.id))]


def test_a_folder_with_a_profile_stands_in_a_cascade_beside_the_model_of_the_package(folders: Path) -> None:
    alone = scores(f"{folders / 't5'}", RerankerOptions(profile=MONO))
    stages = ["builtin@5", f"{folders / 't5'}[profile={MONO},engine=torch]@all"]
    hits = rerank_passages(QUESTION, PASSAGES, rerank=stages, options=RerankerOptions(EngineOptions("numpy")))
    assert [stage.stage for stage in hits[0].stages] == ["given", "builtin", MONO]
    assert len(hits) == 5
    assert [hit.score for hit in hits] == pytest.approx([alone[int(hit.chunk.id) - 1] for hit in hits], abs=1e-4)


def test_two_folders_in_a_fusion_have_a_profile_each(folders: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "secondpass.rerank")
    parts = ["builtin", f"{folders / 't5'}[profile={MONO}]*2", f"{folders / 'qwen3'}[profile={QWEN},max-tokens=300]"]
    hits = rerank_passages(QUESTION, PASSAGES, rerank=f"fuse:{'+'.join(parts)}@4")
    assert len(hits) == 4
    assert any(note.startswith(f"t5: seq2seq like {MONO} on torch f32") for note in caplog.messages)
    assert any(note.startswith(f"qwen3: causal like {QWEN} on torch f32") for note in caplog.messages)
    assert any("inputs of up to 300 tokens" in note for note in caplog.messages)


def test_stages_run_on_engines_of_their_own(folders: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "secondpass.rerank")
    stages = [f"{folders / '小模型'}@6", f"{folders / 'qwen3'}[engine=torch,precision=bf16,profile={QWEN}]@all"]
    assert len(rerank_passages(QUESTION, PASSAGES, rerank=stages, options=ONNX)) == 6
    assert any(note.startswith("小模型: cross-encoder on onnx f32") for note in caplog.messages)
    assert any(note.startswith(f"qwen3: causal like {QWEN} on torch bf16") for note in caplog.messages)


@pytest.mark.parametrize(
    ("names", "options", "said"),
    [
        (["builtin", "t5"], RerankerOptions(profile=MONO), r"'\./folder\[profile=castorini/monot5-base-msmarco\]'"),
        (["fuse:builtin+{}/t5"], RerankerOptions(profile=MONO), "write it behind that one's name"),
        (["builtin"], RerankerOptions(profile="query-likelihood"), r"\[profile=query-likelihood\]"),
        (
            [f"qwen3[profile={QWEN}]"],
            ONNX,
            r"with the engine torch or auto, and onnx was asked for.*'qwen3\[engine=torch\]'",
        ),
        (
            [f"qwen3[profile={QWEN}]"],
            RerankerOptions(EngineOptions(precision="int8")),
            r"the precision f32 or bf16, and int8 was asked for.*'qwen3\[precision=f32\]'",
        ),
        (["qwen3"], RerankerOptions(profile=QWEN, window_unit="sentences"), "only cross-encoders read"),
        (["colbert"], RerankerOptions(window_unit="sentences"), "only cross-encoders read"),
        (["小模型"], RerankerOptions(skiplist="chinese"), r"only ColBERT.*\[skiplist=chinese\]"),
        (["colbert"], RerankerOptions(layer=3), r"after a layer.*\[layer=3\]"),
        ([LAYERWISE], RerankerOptions(compress=(2, (2, 3))), r"only BGE's lightweight model.*\[compress=2@2,3\]"),
        (["小模型"], RerankerOptions(cut_long=True, window_unit="sentences"), "ask for one of them"),
        ([LAYERWISE], RerankerOptions(), "cutoff_layer is 28; .* gives scores after layers 2 to 4"),
    ],
)
def test_what_a_family_has_not_is_refused_with_the_way_to_ask_one_stage(
    folders: Path, names: list[str], options: RerankerOptions, said: str
) -> None:
    stages = [
        name.format(folders) if ":" in name else name if name == "builtin" else str(folders / name) for name in names
    ]
    with pytest.raises(InputError, match=said):
        rerank_passages(QUESTION, PASSAGES, rerank=stages, options=options)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("./t5[castorini/monot5-base-msmarco]", "has 'castorini/monot5-base-msmarco' in its brackets"),
        ("./t5[profile=]", "has 'profile=' in its brackets"),
        ("./t5[layer=2,layer=3]", "has 'layer=3' in its brackets"),
        ("./t5[层=2]", "has the setting '层' behind the name; a model has the settings profile, engine, "),
        ("./t5[engine=cuda]", "engine is 'cuda'; accepted are auto, openvino"),
        ("./t5[precision=fp16]", "precision is 'fp16'; accepted are f32"),
        ("./t5[max-tokens=7]", "max-tokens is '7'; accepted is a whole number of 8 or more"),
        ("./t5[layer=两层]", "layer is '两层'; accepted is a whole number of 1 or more"),
        ("./t5[compress=2]", "compress is '2'; write how many tokens"),
        ("lexical[engine=onnx]", "lexical has no settings in brackets"),
        ("不存在[engine=onnx]", "There is no reranker named '不存在'"),
    ],
)
def test_a_setting_that_cannot_be_read_is_refused_before_anything_is_opened(name: str, said: str) -> None:
    with pytest.raises(InputError) as refusal:
        RerankSpec.parse(f"{name}@3")
    assert said in str(refusal.value)


def test_brackets_of_addresses_and_folders_are_their_own(tmp_path: Path) -> None:
    check_name("http://[::1]:8080")
    check_name("tei:http://[::1]")
    folder = make_model(tmp_path / "模型[layer=2]", Shape("bert"))
    assert with_settings(str(folder), ONNX) == (str(folder), ONNX)
    assert len(scores(str(folder), ONNX)) == len(PASSAGES)


def test_a_stage_with_settings_is_the_one_that_was_opened_with_these_options(folders: Path) -> None:
    named = open_reranker(f"{folders / '小模型'}[max-tokens=64, precision=int8]", ONNX)
    options = replace(ONNX, max_tokens=64, engine=replace(ONNX.engine, precision="int8"))
    assert named is open_reranker(str(folders / "小模型"), options)


@pytest.mark.parametrize("text", ["".join(SENTENCES[:11]) * 6, " ".join(SENTENCES[11:21]) * 6], ids=["zh", "en"])
def test_windows_of_sentences_end_where_sentences_end(folders: Path, text: str) -> None:
    def evidence(options: RerankerOptions, name: str = str(folders / "小模型")) -> str:
        (hit,) = rerank_passages(QUESTION, [text], rerank=f"{name}@all", options=options)
        assert hit.evidence is not None
        return text[hit.evidence.start : hit.evidence.end]

    short = replace(ONNX, max_tokens=64)
    whole = evidence(replace(short, window_unit="sentences"))
    assert whole.strip()[-1] in "。？！.?!"
    assert whole != evidence(short)
    assert whole == evidence(short, f"{folders / '小模型'}[window-unit=sentences]")


def test_colbert_leaves_out_chinese_punctuation_where_that_is_asked_for(folders: Path) -> None:
    chinese = replace(ONNX, skiplist="chinese")
    scorer = open_late_interaction(
        folders / "colbert", options=LateInteractionOptions("chinese"), engine_options=ONNX.engine
    )
    expected = [one.score for one in scorer.score(QUESTION, PASSAGES)]
    assert scores(str(folders / "colbert"), chinese) == pytest.approx(expected, abs=1e-5)
    assert scores(f"{folders / 'colbert'}[skiplist=chinese]", ONNX) == pytest.approx(expected, abs=1e-5)
    assert scores(str(folders / "colbert"), ONNX) != pytest.approx(expected, abs=1e-3)


def test_a_layerwise_model_stops_after_the_layer_that_is_asked_for(
    folders: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "secondpass.rerank")
    by_layer = {}
    for layer in (2, 3):
        scorer = open_layerwise(folders / LAYERWISE, find_profile(LAYERWISE), cutoff_layer=layer)
        expected = [one.score for one in scorer.score(QUESTION, PASSAGES)]
        by_layer[layer] = scores(str(folders / LAYERWISE), RerankerOptions(layer=layer))
        assert by_layer[layer] == pytest.approx(expected, abs=1e-4)
        assert any(f"score after layer {layer}, from " in note for note in caplog.messages)
    assert by_layer[2] != pytest.approx(by_layer[3], abs=1e-2)
    assert scores(f"{folders / LAYERWISE}[layer=2]") == by_layer[2]


def test_a_lightweight_model_compresses_before_the_layers_that_are_asked_for(folders: Path) -> None:
    profile = find_profile(LIGHTWEIGHT)
    found = []
    for compression in (Compression(4, 4, (2,)), Compression(4)):
        scorer = open_lightweight(folders / LIGHTWEIGHT, profile, compression=compression)
        expected = [one.score for one in scorer.score(QUESTION, PASSAGES)]
        compress = None if compression.compress_ratio == 2 else (4, (2,))
        found.append(scores(str(folders / LIGHTWEIGHT), RerankerOptions(layer=4, compress=compress)))
        assert found[-1] == pytest.approx(expected, abs=1e-4)
    assert found[0] != pytest.approx(found[1], abs=1e-3)
    assert scores(f"{folders / LIGHTWEIGHT}[layer=4,compress=4@2]") == found[0]
    with pytest.raises(InputError, match="compress_ratio is 3; accepted are 1, 2, 4 and 8"):
        scores(f"{folders / LIGHTWEIGHT}[layer=4,compress=3@2,3]")


@pytest.mark.parametrize("text", ["", "2", "@2", "2@", "两@2", "2@24,,40", "-2@24"])
def test_a_compression_in_another_form_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="such as 2@24,40"):
        parse_compress(text)
