"""Late-interaction models in training: scores are those that the folder serves, in every layout and in a new one."""

from __future__ import annotations

import importlib
import json
import signal
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.models.colbert_checkpoints import write_pylate, write_stanford
from tests.models.tiny_models import Shape, make_model
from tests.train.runs import assert_same_model, records, run, settings

from secondpass.errors import InputError
from secondpass.models.checkpoint import read_checkpoint
from secondpass.models.colbert_settings import read_projection, read_settings
from secondpass.models.engine import EngineOptions
from secondpass.models.late_interaction import LateInteractionOptions
from secondpass.models.late_interaction_scorer import open_late_interaction
from secondpass.train.groups import Group
from secondpass.train.opening import open_model
from secondpass.train.options import TrainOptions, make_options

GROUPS = [
    Group("长江有多长？", ("长江全长六千三百公里，是亚洲最长的河流。", "今天下雨，路上的行人都打着伞！"), (1.0, 0.0)),
    Group("who invented the telephone, and when?", ("bell, a man.", "it rained.", "长" * 90), (1.0, 0.0, 0.0)),
]
CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECONDPASS_CACHE", str(tmp_path / "cache"))


def training_scores(folder: Path, options: TrainOptions) -> tuple[Any, list[float]]:
    model = open_model(folder, options)
    inputs, plan, _ = model.batches(GROUPS, CPU)
    return model, model.module.eval()(inputs, plan)


def served_scores(folder: Path) -> list[float]:
    cut = LateInteractionOptions(cut_long=True)
    scorer = open_late_interaction(folder, options=cut, engine_options=EngineOptions("onnx", threads=1))
    return [one.score for group in GROUPS for one in scorer.score(group.query, group.passages)]


def start(kind: str, place: Path) -> Path:
    """Write a checkpoint to start from."""
    if kind == "stanford":
        return write_stanford(place)
    if kind == "attending":
        return write_pylate(place, attend_to_expansion_tokens=True, similarity_fn_name="meanmaxsim")
    return write_pylate(place) if kind == "pylate" else make_model(place, Shape(kind, layers=2))


@pytest.mark.parametrize("kind", ["stanford", "pylate", "attending"])
def test_scores_are_those_that_serve_and_gradients_reach_every_weight(kind: str, tmp_path: Path) -> None:
    folder = start(kind, tmp_path / "模型")
    model, scores = training_scores(folder, TrainOptions())
    assert scores.tolist() == pytest.approx(served_scores(folder), abs=1e-4)
    assert (model.cutting.pairs, model.cutting.cut) == (5, 1)
    scores.sum().backward()
    still = {name for name, value in model.module.named_parameters() if value.grad is None or not value.grad.any()}
    assert all("pooler" in name or "key.bias" in name for name in still)  # a bias of keys moves no softmax


@pytest.mark.parametrize("kind", ["stanford", "pylate"])
def test_a_folder_written_untrained_keeps_its_layout_and_its_scores(kind: str, tmp_path: Path) -> None:
    folder = start(kind, tmp_path / "模型")
    model = open_model(folder, TrainOptions(max_tokens=40))
    (tmp_path / "again").mkdir()
    model.write(tmp_path / "again")
    settings_before, settings_after = read_settings(folder), read_settings(tmp_path / "again")
    assert (settings_before.document_length, settings_after.document_length) == (48, 40)
    assert (tmp_path / "again" / "modules.json").is_file() == (kind == "pylate")
    assert read_projection(tmp_path / "again").tolist() == read_projection(folder).tolist()
    _, scores = training_scores(tmp_path / "again", TrainOptions())
    assert scores.tolist() == pytest.approx(served_scores(tmp_path / "again"), abs=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["bert", "xlm-roberta"])
def test_an_encoder_becomes_a_late_interaction_model_that_others_load(kind: str, tmp_path: Path) -> None:
    folder = start(kind, tmp_path / "编码器")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    plain = {"bert": "BertForMaskedLM", "xlm-roberta": "XLMRobertaForMaskedLM"}[kind]
    (folder / "config.json").write_text(json.dumps(config | {"architectures": [plain]}), encoding="utf-8")
    options = make_options({"family": "late-interaction", "projection": 24, "max_tokens": 40}, "test")
    model, scores = training_scores(folder, options)
    assert model.new_head
    new = tmp_path / "new"
    new.mkdir()
    model.write(new)
    assert read_checkpoint(new).kind == "late-interaction"
    assert read_projection(new).shape == (24, 32)
    assert served_scores(new) == pytest.approx(scores.tolist(), abs=1e-4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        library = importlib.import_module("sentence_transformers")
        theirs = library.MultiVectorEncoder(str(new), device="cpu")
    found = [
        value
        for group in GROUPS
        for value in theirs.similarity(
            theirs.encode_query([group.query]), theirs.encode_document(list(group.passages))
        )[0]
    ]
    assert [float(value) for value in found] == pytest.approx(scores.tolist(), abs=1e-4)


@pytest.mark.slow
def test_it_learns_and_a_run_interrupted_and_resumed_is_the_undisturbed_one(
    embedder: Path, lessons: Path, tmp_path: Path
) -> None:
    shape: dict[str, Any] = {"family": "late-interaction", "projection": 16, "max_tokens": 48, "max_steps": 8,
                             "temperature": 0.5, "evaluate_every": 4}  # fmt: skip
    undisturbed, again = tmp_path / "undisturbed", settings(embedder, lessons, tmp_path / "again", **shape)
    outcome = run(settings(embedder, lessons, undisturbed, **shape))
    steps = [record["loss"] for record in records(undisturbed) if record["event"] == "step"]
    assert sum(steps[-3:]) < 0.8 * sum(steps[:3])
    assert any("the head is new" in note for note in outcome.notes)

    def interrupt(record: dict[str, Any]) -> None:
        if record["event"] == "step" and record["step"] == 5:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        run(again, listener=interrupt)
    run(again, resume=True)
    assert_same_model(tmp_path / "again", undisturbed)
    assert records(tmp_path / "again") == records(undisturbed)
    scorer = open_late_interaction(undisturbed, engine_options=EngineOptions("onnx", threads=1))
    probes = json.loads((undisturbed / "probes.json").read_text(encoding="utf-8"))
    assert probes
    for probe in probes:
        assert scorer.score(probe["query"], [probe["passage"]])[0].score == pytest.approx(probe["score"], abs=1e-4)


def test_a_trained_folder_whose_projection_was_lost_is_refused(tmp_path: Path) -> None:
    folder = write_pylate(tmp_path / "模型")
    scorer = open_late_interaction(folder, engine_options=EngineOptions("onnx", threads=1))
    pair = {"query": "长江", "passage": "长江全长六千三百公里。"}
    score = scorer.score(pair["query"], [pair["passage"]])[0].score
    (folder / "probes.json").write_text(json.dumps([pair | {"score": score}]), encoding="utf-8")
    open_late_interaction(folder, engine_options=EngineOptions("onnx", threads=1))
    (folder / "probes.json").write_text(json.dumps([pair | {"score": score + 1}]), encoding="utf-8")
    (tmp_path / "cache" / "probed.json").unlink()
    with pytest.raises(InputError, match="does not give the scores it had"):
        open_late_interaction(folder, engine_options=EngineOptions("onnx", threads=1))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"max_tokens": 5000}, "max_tokens is 5000; the model at .* reads 16 to"),
        ({"family": "causal"}, "family is causal, and the model at .* is a late-interaction"),
        ({"projection": 64}, None),
        ({"head": "first"}, "head is for the family cross-encoder"),
        ({"profile": "Qwen/Qwen3-Reranker-0.6B"}, "profile is for the family causal"),
    ],
)
def test_what_does_not_fit_a_late_interaction_model_is_said(
    given: dict[str, Any], said: str | None, tmp_path: Path
) -> None:
    folder = write_stanford(tmp_path / "模型")
    said = said or "projection is 64; the model at .* has one of 16"
    with pytest.raises(InputError, match=said):
        open_model(folder, make_options(given, "test"))
