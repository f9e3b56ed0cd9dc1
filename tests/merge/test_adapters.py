"""LoRA adapters are added up exactly: what the merged one does is the weighted sum of what each does."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from tests.merge.lora import adapter

from secondpass.errors import InputError
from secondpass.merge.merging import MergePlan, WriteOptions, plan_merge, write_merge
from secondpass.merge.methods import Mix, Slerp
from secondpass.merge.parents import open_parent
from secondpass.merge.task_vectors import Dare, Ties

Arrays = dict[str, np.ndarray[Any, Any]]
CASES = [
    ({}, {}),
    ({"r": 4}, {"r": 7, "lora_alpha": 3}),
    ({"use_rslora": True}, {"r": 2, "alpha_pattern": {"q_proj": 5}}),
    ({"targets": ("q_proj", "o_proj")}, {"targets": ("v_proj", "q_proj"), "r": 8}),
]


def plan(folders: list[Path], weights: tuple[float, ...], **options: Any) -> MergePlan:
    parents = tuple(open_parent(str(folder)) for folder in folders)
    return plan_merge(parents, Mix(weights), None, WriteOptions(**options))


def updates(folder: Path) -> Arrays:
    """Return each matrix's update as peft adds it, float64."""
    settings = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    tensors = load_file(folder / "adapter_model.safetensors")
    found: Arrays = {}
    for name, first in tensors.items():
        if not name.endswith(".lora_A.weight"):
            continue
        module = name.removesuffix(".lora_A.weight")
        rank = len(first)
        alpha = (settings.get("alpha_pattern") or {}).get(module.rpartition(".")[2], settings["lora_alpha"])
        scale = alpha / (math.sqrt(rank) if settings.get("use_rslora") else rank)
        found[module] = scale * (tensors[f"{module}.lora_B.weight"].astype(np.float64) @ first.astype(np.float64))
    return found


@pytest.mark.parametrize(("one", "other"), CASES)
def test_the_merged_update_is_the_weighted_sum_of_the_updates(one: Any, other: Any, tmp_path: Path):
    folders = [adapter(tmp_path / "甲", 1, **one), adapter(tmp_path / "乙", 2, **other)]
    made = plan(folders, (0.25, 0.75))
    merged = write_merge(made, tmp_path / "合并")
    first, second, found = (updates(folder) for folder in (*folders, merged))
    assert found.keys() == first.keys() | second.keys()
    for module, update in found.items():
        expected = 0.25 * first.get(module, 0.0) + 0.75 * second.get(module, 0.0)
        np.testing.assert_allclose(update, expected, atol=1e-5, rtol=1e-6)  # float32 factors, sums of dozens
    assert "exactly their weighted sum" in " ".join(made.notes)
    settings = json.loads((merged / "adapter_config.json").read_text(encoding="utf-8"))
    assert settings["r"] == settings["lora_alpha"] == 4 + other.get("r", 4)
    assert set(settings["target_modules"]) == {*one.get("targets", ("q_proj", "v_proj")),
                                               *other.get("targets", ("q_proj", "v_proj"))}  # fmt: skip


def test_updates_of_the_usual_size_are_equal_to_a_millionth(tmp_path: Path):
    folders = [adapter(tmp_path / name, seed) for name, seed in (("a", 1), ("b", 2), ("c", 3))]
    for folder in folders:
        tensors = load_file(folder / "adapter_model.safetensors")
        small = {name: (value * 0.05).astype(np.float32) for name, value in tensors.items()}
        save_file(small, folder / "adapter_model.safetensors")
    merged = write_merge(plan(folders, (0.2, 0.3, 0.5)), tmp_path / "merged")
    parts = [updates(folder) for folder in folders]
    for module, update in updates(merged).items():
        expected = sum(weight * part[module] for weight, part in zip((0.2, 0.3, 0.5), parts, strict=True))
        np.testing.assert_allclose(update, expected, atol=1e-6)


def test_peft_loads_the_merged_adapter(tmp_path: Path):
    torch = pytest.importorskip("torch")
    peft = pytest.importorskip("peft")
    folders = [adapter(tmp_path / "甲", 1), adapter(tmp_path / "乙", 2, r=6)]
    merged = write_merge(plan(folders, (0.5, 0.5)), tmp_path / "merged")
    weights: dict[str, Any] = {}
    for folder in (*folders, merged):
        attention = torch.nn.ModuleDict({name: torch.nn.Linear(16, 24, bias=False) for name in ("q_proj", "v_proj")})
        layer = torch.nn.ModuleDict({"self_attn": attention})
        model = torch.nn.ModuleDict({"model": torch.nn.ModuleDict({"layers": torch.nn.ModuleList([layer])})})
        for part in attention.values():
            torch.nn.init.zeros_(part.weight)
        whole = peft.PeftModel.from_pretrained(model, str(folder)).merge_and_unload()
        weights[folder.name] = whole["model"]["layers"][0]["self_attn"]["q_proj"].weight.detach()
    expected = 0.5 * weights["甲"] + 0.5 * weights["乙"]
    torch.testing.assert_close(weights["merged"], expected, atol=1e-5, rtol=1e-5)


def test_a_head_that_was_trained_whole_is_averaged_and_one_that_only_one_has_is_refused(tmp_path: Path):
    folders = [adapter(tmp_path / name, seed) for name, seed in (("a", 1), ("b", 2))]
    heads = []
    for number, folder in enumerate(folders):
        tensors = load_file(folder / "adapter_model.safetensors")
        heads.append(np.full((1, 16), number + 1, np.float32))
        save_file(tensors | {"base_model.model.score.weight": heads[-1]}, folder / "adapter_model.safetensors")
    merged = write_merge(plan(folders, (0.25, 0.75)), tmp_path / "merged")
    head = load_file(merged / "adapter_model.safetensors")["base_model.model.score.weight"]
    assert head.tolist() == (0.25 * heads[0] + 0.75 * heads[1]).tolist()
    with pytest.raises(InputError, match=r"base_model.model.score.weight: only in"):
        plan([folders[0], adapter(tmp_path / "c", 3)], (0.5, 0.5))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"base_model_name_or_path": "另一个"}, "base_model_name_or_path is None in .*, 另一个 in"),
        ({"use_dora": True}, "no plain LoRA adapter"),
        ({"peft_type": "IA3"}, r"no plain LoRA adapter \(IA3\)"),
    ],
)
def test_what_is_no_sum_of_products_is_refused(settings: dict[str, Any], said: str, tmp_path: Path):
    folders = [adapter(tmp_path / "甲", 1), adapter(tmp_path / "乙", 2, **settings)]
    with pytest.raises(InputError, match=said):
        plan(folders, (0.5, 0.5))


@pytest.mark.parametrize("method", [Slerp(0.5), Ties((0.5, 0.5)), Dare((0.5, 0.5))], ids=lambda method: method.name)
def test_what_works_on_single_numbers_is_refused_with_what_to_do(method: Any, tmp_path: Path):
    first, second, base = (
        open_parent(str(adapter(tmp_path / name, seed))) for name, seed in (("甲", 1), ("乙", 2), ("底", 3))
    )
    with pytest.raises(InputError, match=rf"^{method.name} compares .*merge_and_unload.* or add .* by `merge mix`"):
        plan_merge((first, second), method, base)


def test_the_same_updates_in_other_factors_give_the_same_mix(tmp_path: Path):
    """B A = (B R)(R^-1 A) for every invertible R: what was averaged by factors would be something else."""
    one, other = adapter(tmp_path / "甲", 1), adapter(tmp_path / "乙", 2)
    turned = adapter(tmp_path / "转过的", 1)
    rotation = np.linalg.qr(np.random.default_rng(5).standard_normal((4, 4)))[0].astype(np.float32)
    tensors = {
        name: rotation.T @ factor if "lora_A" in name else factor @ rotation
        for name, factor in load_file(turned / "adapter_model.safetensors").items()
    }
    save_file({name: np.ascontiguousarray(value) for name, value in tensors.items()},
              turned / "adapter_model.safetensors")  # fmt: skip
    found = [
        updates(write_merge(plan([folder, other], (0.5, 0.5)), tmp_path / f"{folder.name}-merged"))
        for folder in (one, turned)
    ]
    for module, update in found[0].items():
        np.testing.assert_allclose(found[1][module], update, atol=1e-5)
