"""Language models without padding give what they give with it; the kernel for GPUs is torch's CPU attention here."""

import numpy as np
import torch
from tests.models.test_torch_encoder import kernel_on_cpu
from tests.models.tiny_causal import make_causal
from tests.models.tiny_models import SENTENCES

from secondpass.models import causal_packed
from secondpass.models.causal import open_causal
from secondpass.models.engine import EngineOptions
from secondpass.models.profile_records import RerankerProfile
from secondpass.models.torch_attention import Bounds

QWEN3 = RerankerProfile("tiny-qwen3", "causal", "log_odds", 2048, "qwen3")


def bounds_here(starts, attended, _):
    places = torch.tensor(starts, dtype=torch.int32)
    return Bounds(places, places, None, (max(attended), max(attended)))


def scores(folder, options):
    return np.array([one.score for one in open_causal(folder, QWEN3, options).score("长江有多长？", SENTENCES)])


def test_packed_rows_give_what_padded_ones_give(tmp_path, monkeypatch):
    folder = make_causal(tmp_path, "qwen3")
    exact, padded = scores(folder, EngineOptions()), scores(folder, EngineOptions("torch", "bf16"))
    asked = []
    kernel_on_cpu(monkeypatch, asked)
    monkeypatch.setattr(causal_packed, "bounds", bounds_here)
    packed = scores(folder, EngineOptions("torch", "bf16"))
    assert {one[3] for one in asked} == {True}  # causal
    assert np.abs(packed - exact).max() < 1.5 * np.abs(padded - exact).max()


def test_without_the_kernel_nothing_is_packed(tmp_path):
    folder = make_causal(tmp_path, "qwen3")
    scorer = open_causal(folder, QWEN3, EngineOptions("torch", "bf16"))
    assert not scorer._engine._packed
