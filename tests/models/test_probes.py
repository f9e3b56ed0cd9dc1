"""A model that no longer gives the scores it was saved with is refused when it is opened."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from secondpass.errors import InputError
from secondpass.models.cross_encoder import open_cross_encoder
from secondpass.models.engine import EngineOptions, Precision
from secondpass.models.probes import PROBES

PAIRS = (("长江有多长？", "长江全长六千三百公里，是亚洲最长的河流。"), ("Who?", "Alexander Graham Bell"))


@pytest.fixture
def folder(tiny_bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SECONDPASS_CACHE", str(tmp_path / "cache"))
    place = tmp_path / "模型"
    shutil.copytree(tiny_bert, place)
    scorer = open_cross_encoder(place, options=EngineOptions("torch"))
    kept = [{"query": q, "passage": p, "score": scorer.score(q, [p])[0].score} for q, p in PAIRS]
    (place / PROBES).write_text(json.dumps(kept, ensure_ascii=False), encoding="utf-8")
    return place


@pytest.mark.parametrize("precision", ["f32", "bf16"])
def test_a_whole_model_opens_in_every_precision_and_is_checked_once(
    precision: Precision, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_cross_encoder(folder, options=EngineOptions("torch", precision))
    monkeypatch.setattr("secondpass.models.cross_encoder.check_probes", lambda *_: pytest.fail("checked again"))
    open_cross_encoder(folder, options=EngineOptions("torch", precision))


def test_a_head_that_was_lost_is_noticed(folder: Path) -> None:
    open_cross_encoder(folder, options=EngineOptions("torch"))
    weights = dict(load_file(folder / "model.safetensors"))
    weights["classifier.weight"] = np.random.default_rng(1).normal(0, 0.02, weights["classifier.weight"].shape)
    weights["classifier.weight"] = weights["classifier.weight"].astype(np.float32)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match=r"does not give the scores it had when it was saved: .* for '长江有多长？'"):
        open_cross_encoder(folder, options=EngineOptions("torch"))


@pytest.mark.parametrize("content", ["[", '[{"query": "q"}]', '{"query": 1}', "[1]"])
def test_a_broken_file_of_probes_is_named(content: str, folder: Path) -> None:
    (folder / PROBES).write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=r"probes\.json cannot be read"):
        open_cross_encoder(folder, options=EngineOptions("torch"))
