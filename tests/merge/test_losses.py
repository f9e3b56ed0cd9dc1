"""Losses of rerankers and embedders, held against torch and against what LM_Cocktail recorded."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.merge.families import EXAMPLES, as_embedder, make_family
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from secondpass.data.training import TrainExample
from secondpass.errors import InputError
from secondpass.merge.losses import LossOptions, group_loss, model_loss, raw_scores
from secondpass.merge.weights import cocktail_weights
from secondpass.models.engine import EngineOptions
from secondpass.rerank.options import RerankerOptions

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "lm_cocktail.json").read_text(encoding="utf-8"))[
    "embedders"
]
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
