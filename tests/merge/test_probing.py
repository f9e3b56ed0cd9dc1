"""A merged model keeps pairs with its own scores where its parents keep some, and is not refused for theirs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.merge.families import change, moved

from secondpass.cli.merge import merge
from secondpass.errors import InputError
from secondpass.merge.parents import open_parent
from secondpass.merge.probing import renew_probes
from secondpass.models.cross_encoder import open_cross_encoder
from secondpass.models.engine import EngineOptions

PAIRS = (("长江有多长？", "长江全长六千三百公里，是亚洲最长的河流。"), ("Who?", "Alexander Graham Bell"))
ONNX = EngineOptions("onnx", threads=1)


@pytest.fixture
def probed(family: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Two children, the first with pairs and its scores."""
    monkeypatch.setenv("SECONDPASS_CACHE", str(tmp_path / "cache"))
    folders = [tmp_path / "甲", tmp_path / "乙"]
    for folder, child in zip(folders, family[1:], strict=True):
        shutil.copytree(child, folder)
    scorer = open_cross_encoder(folders[0], options=ONNX)
    kept = [{"query": q, "passage": p, "score": scorer.score(q, [p])[0].score} for q, p in PAIRS]
    (folders[0] / "probes.json").write_text(json.dumps(kept, ensure_ascii=False), encoding="utf-8")
    return folders


def test_the_pairs_have_the_merged_models_scores_and_damage_is_noticed(probed: list[Path], tmp_path: Path) -> None:
    merged = tmp_path / "合并"
    done = CliRunner().invoke(merge, ["mix", *map(str, probed), "--out", str(merged)])
    assert done.exit_code == 0, done.output
    assert "probes.json holds 2 pairs with the merged model's own scores" in done.output
    probes = json.loads((merged / "probes.json").read_text(encoding="utf-8"))
    scorer = open_cross_encoder(merged, options=ONNX)  # checks them
    assert [scorer.score(q, [p])[0].score for q, p in PAIRS] == pytest.approx(
        [one["score"] for one in probes], abs=1e-5
    )
    change(merged, lambda tensors: moved(tensors, 0.2, 7))
    with pytest.raises(InputError, match="does not give the scores it had"):
        open_cross_encoder(merged, options=ONNX)


def test_parents_without_pairs_give_none_and_broken_ones_are_said(probed: list[Path], family: list[Path]) -> None:
    assert renew_probes(probed[1], [open_parent(str(family[1]))]) == ""
    (probed[0] / "probes.json").write_text("[", encoding="utf-8")
    assert "cannot be read" in renew_probes(probed[1], [open_parent(str(probed[0]))])
    assert not (probed[1] / "probes.json").exists()
