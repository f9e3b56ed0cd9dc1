"""Engines on a GPU give what they give on the CPU; these tests run where torch finds a CUDA device."""

import numpy as np
import pytest
import torch
from tests.models.test_torch_encoder import KINDS, batch_of
from tests.models.tiny_causal import make_causal
from tests.models.tiny_models import SENTENCES, Shape, make_model

from secondpass.models.causal import open_causal
from secondpass.models.engine import EngineOptions
from secondpass.models.profile_records import RerankerProfile
from secondpass.models.torch_encoder import TorchEncoderEngine

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no CUDA device")
QWEN3 = RerankerProfile("tiny-qwen3", "causal", "log_odds", 2048, "qwen3")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("precision", "tolerance"), [("f32", 1e-3), ("bf16", 0.12)])
def test_encoders_give_what_they_give_on_the_cpu(tmp_path, kind, precision, tolerance):
    folder = make_model(tmp_path / kind, Shape(kind, labels=3))
    for batch in (batch_of([1, 2, 7, 64, 129, 500]), batch_of([32, 9, 40], attended=(11, 9, 1))):
        for head in ("classify", "tokens"):
            exact = TorchEncoderEngine(folder, head, EngineOptions()).run(batch)
            got = TorchEncoderEngine(folder, head, EngineOptions(precision=precision, device="cuda")).run(batch)
            assert np.quantile(np.abs(got - exact), 0.99) < tolerance


@pytest.mark.parametrize(("precision", "tolerance"), [("f32", 1e-3), ("bf16", 0.3)])
def test_language_models_give_what_they_give_on_the_cpu(tmp_path, precision, tolerance):
    folder = make_causal(tmp_path, "qwen3")
    exact, got = (
        [score.score for score in open_causal(folder, QWEN3, options).score("长江有多长？", SENTENCES)]
        for options in (EngineOptions(), EngineOptions("torch", precision, device="cuda"))
    )
    assert np.abs(np.subtract(exact, got)).max() < tolerance
