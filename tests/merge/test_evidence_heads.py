"""Evidence heads are merged where all models have one, and else taken from the first that has one, which is said."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from safetensors.numpy import load_file
from tests.merge.families import change, moved
from tests.models.pointing_folders import write_spans
from tests.models.tiny_models import Shape, make_model

from secondpass.cli.merge import merge
from secondpass.errors import InputError
from secondpass.merge.merging import MergePlan, WriteOptions, plan_merge, write_merge
from secondpass.merge.methods import Mix, Slerp
from secondpass.merge.parents import open_parent
from secondpass.merge.task_vectors import Dare, Ties
from secondpass.models.cross_encoder import open_cross_encoder
from secondpass.models.engine import EngineOptions

SPANS = "spans.safetensors"
ONNX = EngineOptions("onnx", threads=1)
METHODS = (Mix((0.25, 0.75)), Slerp(0.5), Ties((0.5, 0.5)), Dare((0.5, 0.5)))


@pytest.fixture
def pointing(tmp_path: Path) -> list[Path]:
    """A base that points at evidence, and two children near it."""
    base = make_model(tmp_path / "起点", Shape("bert", layers=2))
    write_spans(base)
    children = []
    for number in (1, 2):
        child = tmp_path / f"子{number}"
        shutil.copytree(base, child)
        for file in ("model.safetensors", SPANS):
            change(child, lambda tensors, seed=number: moved(tensors, 0.02, seed), file)
        children.append(child)
    return [base, *children]


def plan(folders: list[Path], method: Any = None, base: Path | None = None, **options: Any) -> MergePlan:
    parents = tuple(open_parent(str(folder)) for folder in folders)
    method = method or Mix((1 / len(folders),) * len(folders))
    return plan_merge(parents, method, open_parent(str(base)) if base else None, WriteOptions(**options))


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_heads_that_all_models_have_are_merged_as_every_tensor_is(
    method: Any, pointing: list[Path], tmp_path: Path
) -> None:
    made = plan(pointing[1:], method, pointing[0])
    assert not any(SPANS in note for note in made.notes)
    merged = write_merge(made, tmp_path / "合并")
    found, one, other = (load_file(folder / SPANS) for folder in (merged, *pointing[1:]))
    assert {name: value.shape for name, value in found.items()} == {"weight": (2, 32), "bias": (2,)}
    for name, value in found.items():
        assert not np.array_equal(value, one[name])
        if method.name == "mix":
            np.testing.assert_allclose(value, 0.25 * one[name] + 0.75 * other[name], atol=1e-6)
        elif method.name == "slerp":
            np.testing.assert_allclose(value, (one[name] + other[name]) / 2, atol=1e-3)


def test_the_head_lies_in_a_file_of_its_own_whatever_the_size_of_files_and_type(
    pointing: list[Path], tmp_path: Path
) -> None:
    merged = write_merge(plan(pointing[1:], shard_bytes=20_000, kind="BF16"), tmp_path / "merged")
    assert (merged / SPANS).is_file()
    index = json.loads((merged / "model.safetensors.index.json").read_text(encoding="utf-8"))
    assert not {"weight", "bias", "spans/weight"} & index["weight_map"].keys()
    found = open_cross_encoder(merged, options=ONNX).score("长江有多长？", ["长江全长六千三百公里。"])[0]
    assert found.span
    assert found.evidence_confidence


@pytest.mark.parametrize("without", [1, 2])
def test_a_head_that_only_some_have_is_taken_from_the_first_that_has_one(
    without: int, pointing: list[Path], tmp_path: Path
) -> None:
    (pointing[without] / SPANS).unlink()
    owner = pointing[3 - without]
    made = plan(pointing[1:])
    (note,) = made.notes
    assert note.startswith(f"{SPANS}, by which a model points at evidence, is not in {pointing[without]}: ")
    assert f"that of {owner} is taken as it is" in note
    merged = write_merge(made, tmp_path / "合并")
    assert (merged / SPANS).read_bytes() == (owner / SPANS).read_bytes()
    assert f"is not in {pointing[without]}" in (merged / "README.md").read_text(encoding="utf-8")
    lineage = json.loads((merged / "merge.json").read_text(encoding="utf-8"))
    assert lineage["notes"] == [note]


def test_over_a_base_without_a_head_that_of_the_first_model_is_taken(pointing: list[Path], tmp_path: Path) -> None:
    (pointing[0] / SPANS).unlink()
    made = plan(pointing[1:], Ties((0.5, 0.5)), pointing[0])
    assert f"is not in {pointing[0]}" in " ".join(made.notes)
    merged = write_merge(made, tmp_path / "merged")
    assert (merged / SPANS).read_bytes() == (pointing[1] / SPANS).read_bytes()


def test_heads_of_another_shape_are_named_and_such_of_another_start_are_warned_of(pointing: list[Path]) -> None:
    write_spans(pointing[2], seed=99)
    (warning,) = plan(pointing[1:]).warnings
    assert "began from different random numbers (spans/weight)" in warning
    write_spans(pointing[2], hidden=16)
    with pytest.raises(InputError, match=r"spans/weight: \[2, 32\] in .*, \[2, 16\] in "):
        plan(pointing[1:])


@pytest.mark.parametrize("both", [True, False])
def test_the_merged_models_probes_are_its_own_and_it_points_at_evidence(
    both: bool, pointing: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECONDPASS_CACHE", str(tmp_path / "cache"))
    kept = [{"query": "长江有多长？", "passage": "长江全长六千三百公里。", "score": 0.0}]
    (pointing[1] / "probes.json").write_text(json.dumps(kept, ensure_ascii=False), encoding="utf-8")
    if not both:
        (pointing[2] / SPANS).unlink()
    merged = tmp_path / "合并"
    done = CliRunner().invoke(merge, ["mix", *map(str, pointing[1:]), "--out", str(merged)])
    assert done.exit_code == 0, done.output
    assert ("is taken as it is" in done.output) is not both
    (probe,) = json.loads((merged / "probes.json").read_text(encoding="utf-8"))
    found = open_cross_encoder(merged, options=ONNX).score(probe["query"], [probe["passage"]])[0]
    assert found.score == pytest.approx(probe["score"], abs=1e-5)
    assert found.evidence_confidence
