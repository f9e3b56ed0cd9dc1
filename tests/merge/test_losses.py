"""Losses of rerankers and embedders, held against torch and against what LM_Cocktail recorded."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from safetensors.numpy import load_file
from tests.merge.families import EXAMPLES, as_embedder, change, make_family, moved
from tests.models.tiny_causal import make_causal
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer

from secondpass.cli.merge import merge
from secondpass.data.training import TrainExample
from secondpass.errors import InputError
from secondpass.merge.losses import LossOptions, group_loss, model_loss, raw_scores
from secondpass.merge.weights import cocktail_weights
from secondpass.models.causal_pairs import CausalPairBuilder
from secondpass.models.causal_templates import causal_template
from secondpass.models.causal_tokenizer import LanguageModelTokenizer
from secondpass.models.engine import EngineOptions
from secondpass.models.profiles import find_profile
from secondpass.rerank.options import RerankerOptions

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "lm_cocktail.json").read_text(encoding="utf-8"))[
    "embedders"
]
QWEN = "Qwen/Qwen3-Reranker-0.6B"
TRAIN = [TrainExample(one["query"], tuple(one["pos"]), tuple(one["neg"])) for one in EXAMPLES]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECONDPASS_CACHE", str(tmp_path / "cache"))


def options(engine: str = "onnx") -> LossOptions:
    return LossOptions(RerankerOptions(EngineOptions(engine, threads=1)))


def torch_loss(folder: Path) -> float:
    """The group softmax cross-entropy of every positive, computed by torch and transformers."""
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    losses = []
    for one in TRAIN:
        for positive in one.positives:
            texts = [positive, *one.negatives]
            inputs = tokenizer([one.query] * len(texts), texts, padding=True, return_tensors="pt")
            with torch.no_grad():
                logits = model(**inputs).logits[:, 0]
            losses.append(torch.nn.functional.cross_entropy(logits[None], torch.tensor([0])).item())
    return float(np.mean(losses))


def test_a_rerankers_loss_is_that_of_torch(family: list[Path]):
    for folder in family[1:]:
        found = model_loss("模型", folder, TRAIN, options())
        assert found.loss == pytest.approx(torch_loss(folder), abs=1e-4)
        assert (found.groups, found.skipped, found.kind) == (4, 0, "ranking")
        assert found.chance == pytest.approx(math.log(4))


@pytest.mark.parametrize("engine", ["onnx", "openvino"])
def test_an_embedders_losses_and_weights_are_those_of_lm_cocktail(tmp_path: Path, engine: str):
    folders = [as_embedder(folder) for folder in make_family(tmp_path, "bert", spread=0.1)[1:]]
    losses = [model_loss(folder.name, folder, TRAIN, options(engine)).loss for folder in folders]
    assert losses == pytest.approx(GOLDEN["losses"], abs=2e-5)
    assert cocktail_weights(losses) == pytest.approx(GOLDEN["weights"]["5.0"], abs=1e-6)
    for temperature, weights in GOLDEN["weights"].items():
        assert cocktail_weights(GOLDEN["losses"], float(temperature)) == pytest.approx(weights, abs=1e-6)


def causal_loss(folder: Path) -> float:
    """The group softmax cross-entropy of yes over no, computed by transformers on sequences without padding."""
    profile = find_profile(QWEN)
    assert profile is not None
    tokenizer = LanguageModelTokenizer(folder)
    words = [tokenizer.first_id("yes"), tokenizer.first_id("no")]
    builder = CausalPairBuilder(tokenizer, causal_template("qwen3"), profile)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    losses = []
    for one in TRAIN:
        inputs = builder.inputs(one.query, [*one.positives, *one.negatives])
        with torch.no_grad():
            logits = [model(input_ids=torch.from_numpy(ids)[None]).logits[0, -1, words] for ids in inputs.sequences]
        scores = torch.stack([yes - no for yes, no in logits])
        for place in range(len(one.positives)):
            group = torch.cat([scores[place : place + 1], scores[len(one.positives) :]])
            losses.append(torch.nn.functional.cross_entropy(group[None], torch.tensor([0])).item())
    return float(np.mean(losses))


@pytest.mark.slow
def test_language_models_are_mixed_by_their_ranking_losses(tmp_path: Path):
    folders = [make_causal(tmp_path / "语言模型", "qwen3", num_hidden_layers=2), tmp_path / "tuned"]
    shutil.copytree(folders[0], folders[1])
    change(folders[1], lambda tensors: moved(tensors, 0.03, 3))
    scoring = LossOptions(RerankerOptions(EngineOptions("torch", threads=1), profile=QWEN))
    losses = [model_loss(folder.name, folder, TRAIN, scoring).loss for folder in folders]
    assert losses == pytest.approx([causal_loss(folder) for folder in folders], abs=1e-4)
    lines = "".join(json.dumps(example, ensure_ascii=False) + "\n" for example in EXAMPLES)
    (tmp_path / "例子.jsonl").write_text(lines, encoding="utf-8")
    command = ["cocktail", *map(str, folders), "--examples", str(tmp_path / "例子.jsonl"), "--temperature", "0.5"]
    command += ["--engine", "torch", "--profile", QWEN, "--out", str(tmp_path / "merged"), "--json", "--threads", "1"]
    done = CliRunner().invoke(merge, command)
    assert done.exit_code == 0, done.output
    weights = json.loads(done.stdout)["weights"]
    assert weights == pytest.approx(cocktail_weights(losses, 0.5), abs=1e-6)
    parts = [load_file(folder / "model.safetensors") for folder in (*folders, tmp_path / "merged")]
    for name, value in parts[2].items():
        np.testing.assert_allclose(value, weights[0] * parts[0][name] + weights[1] * parts[1][name], atol=1e-6)


def test_examples_without_both_sides_are_counted_and_none_at_all_is_refused(family: list[Path]):
    half = [TrainExample("只有问题", ("答案",)), TrainExample("没有答案", (), ("别的",))]
    found = model_loss("m", family[0], [*TRAIN, *half], options())
    assert (found.groups, found.skipped) == (4, 2)
    with pytest.raises(InputError, match="None of the 2 examples has both"):
        model_loss("m", family[0], half, options())


def test_a_group_of_equal_scores_has_the_loss_of_chance():
    assert group_loss(1.5, np.full(7, 1.5)) == pytest.approx(math.log(8))
    assert group_loss(1000.0, np.array([-1000.0])) == 0
    assert group_loss(-1000.0, np.array([1000.0])) == pytest.approx(2000)


def test_probabilities_become_log_odds_so_that_both_kinds_of_model_are_held_to_one_loss():
    logits = np.array([-3.0, 0.0, 2.5])
    assert raw_scores((1 / (1 + np.exp(-logits))).tolist(), "probability") == pytest.approx(logits)
    assert raw_scores(logits.tolist(), "logit").tolist() == logits.tolist()
    assert np.isfinite(raw_scores([0.0, 1.0], "probability")).all()
