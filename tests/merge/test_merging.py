"""Merged folders: equal to LM_Cocktail's, whole, and loaded by every library."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from sentence_transformers import CrossEncoder, SentenceTransformer
from tests.merge.families import as_embedder, change, change_json, make_family, moved, read_tensors
from tests.merge.lora import adapter
from tests.models.tiny_models import SENTENCES
from transformers import AutoModelForSequenceClassification

from secondpass.errors import InputError
from secondpass.merge import tensor_files
from secondpass.merge.merging import MergePlan, WriteOptions, plan_merge, write_merge
from secondpass.merge.methods import Mix, Slerp
from secondpass.merge.parents import open_parent
from secondpass.merge.task_vectors import Dare, Ties
from secondpass.models.cross_encoder import open_cross_encoder
from secondpass.models.engine import EngineOptions

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "lm_cocktail.json").read_text(encoding="utf-8"))
QUESTION, PASSAGES = "谁发明了电话？", list(SENTENCES[:4])


def plan(folders: list[Path], method: Any = None, base: Path | None = None, **options: Any) -> MergePlan:
    parents = tuple(open_parent(str(folder)) for folder in folders)
    method = method or Mix((1 / len(folders),) * len(folders))
    return plan_merge(parents, method, open_parent(str(base)) if base else None, WriteOptions(**options))


def digest(tensors: dict[str, np.ndarray]) -> str:
    found = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        found.update(name.encode() + tensor.tobytes())
    return found.hexdigest()


@pytest.mark.parametrize("case", GOLDEN["rerankers"], ids=lambda case: f"{case['kind']}-{len(case['weights'])}")
def test_a_mix_of_rerankers_equals_lm_cocktails_bit_for_bit(tmp_path: Path, case: dict[str, Any]):
    folders = make_family(tmp_path, case["kind"], children=len(case["weights"]))[1:]
    tensors = read_tensors(write_merge(plan(folders, Mix(tuple(case["weights"]))), tmp_path / "合并"))
    assert tensors.keys() == case["first_and_last"].keys()
    for name, ends in case["first_and_last"].items():
        assert tensors[name].flat[[0, -1]] == pytest.approx(ends, abs=1e-6)
    assert digest(tensors) == case["sha256"]


def test_a_mix_of_embedders_equals_lm_cocktails_and_stays_an_embedder(tmp_path: Path):
    folders = [as_embedder(folder) for folder in make_family(tmp_path, "bert", spread=0.1)[1:]]
    weights = GOLDEN["embedders"]["weights"]["0.5"]
    merged = write_merge(plan(folders, Mix(tuple(weights))), tmp_path / "merged")
    assert digest(read_tensors(merged)) == GOLDEN["embedders"]["sha256"]
    vectors = SentenceTransformer(str(merged), device="cpu").encode(PASSAGES)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)


def test_a_merged_reranker_gives_the_same_scores_in_every_library(tmp_path: Path, family: list[Path]):
    merged = write_merge(plan(family[1:], shard_bytes=20_000), tmp_path / "合并的模型")
    assert len(list(merged.glob("model-*.safetensors"))) > 3
    pairs = [(QUESTION, passage) for passage in PASSAGES]
    scorer = open_cross_encoder(merged, options=EngineOptions("onnx"))
    ours = [found.score for found in scorer.score(QUESTION, PASSAGES)]
    theirs = CrossEncoder(str(merged), device="cpu", activation_fn=torch.nn.Identity()).predict(pairs)
    assert ours == pytest.approx(theirs.tolist(), abs=1e-4)
    model, report = AutoModelForSequenceClassification.from_pretrained(merged, output_loading_info=True)
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    expected = (
        read_tensors(family[1])["classifier.out_proj.weight"] + read_tensors(family[2])["classifier.out_proj.weight"]
    ) / 2
    assert model.classifier.out_proj.weight.detach().numpy() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("method", [Slerp(0.3), Ties((0.5, 0.5)), Dare((0.5, 0.5)), Dare((0.4, 0.6), signs="ties")])
def test_every_method_writes_a_folder_that_opens(tmp_path: Path, family: list[Path], method: Any):
    base = family[0] if method.needs_base else None
    merged = write_merge(plan(family[1:], method, base), tmp_path / "merged")
    assert open_cross_encoder(merged, options=EngineOptions("onnx")).score(QUESTION, PASSAGES)
    lineage = json.loads((merged / "merge.json").read_text(encoding="utf-8"))
    assert lineage["method"] == method.name
    assert [source["role"] for source in lineage["sources"]] == ["merged", "merged", *(["base"] if base else [])]


def test_blocks_smaller_than_a_tensor_change_nothing(
    tmp_path: Path, family: list[Path], monkeypatch: pytest.MonkeyPatch
):
    for index, (method, base) in enumerate([(Mix((0.3, 0.7)), None), (Ties((0.5, 0.5)), family[0])]):
        whole = read_tensors(write_merge(plan(family[1:], method, base), tmp_path / f"whole{index}"))
        monkeypatch.setattr(tensor_files, "BLOCK", 500)
        pieces = read_tensors(write_merge(plan(family[1:], method, base), tmp_path / f"pieces{index}"))
        monkeypatch.undo()
        assert digest(whole) == digest(pieces)


def test_parents_of_several_types_are_mixed_in_float32_and_written_as_the_first(tmp_path: Path):
    folders = make_family(tmp_path)[1:]
    exact = read_tensors(write_merge(plan(folders), tmp_path / "exact"))
    for folder, kind in zip(folders, (torch.bfloat16, torch.float16), strict=True):
        tensors = {name: tensor.to(kind) for name, tensor in load_file(folder / "model.safetensors").items()}
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    merged = load_file(write_merge(plan(folders), tmp_path / "merged") / "model.safetensors")
    for name, tensor in merged.items():
        assert tensor.dtype == torch.bfloat16
        assert tensor.float().numpy() == pytest.approx(exact[name], abs=0.02)
    (a, b), (c,) = [load_file(folder / "model.safetensors") for folder in folders], [merged]
    name = "classifier.dense.weight"
    assert torch.equal(c[name], ((a[name].float() + b[name].float()) / 2).to(torch.bfloat16))


@pytest.mark.parametrize("named", ["dtype", "torch_dtype"])
def test_another_type_is_written_and_named_in_the_settings(tmp_path: Path, named: str):
    folders = [change_json(folder, "config.json", {named: "float32"}) for folder in make_family(tmp_path)[1:]]
    merged = write_merge(plan(folders, kind="BF16"), tmp_path / "merged")
    with safe_open(merged / "model.safetensors", framework="np") as file:
        assert {file.get_slice(name).get_dtype() for name in file.keys()} == {"BF16"}  # noqa: SIM118
    assert json.loads((merged / "config.json").read_text())[named] == "bfloat16"
    model = AutoModelForSequenceClassification.from_pretrained(merged, dtype="auto")
    assert model.dtype == torch.bfloat16


def test_numbers_too_large_for_a_type_are_refused_and_nothing_is_written(tmp_path: Path):
    folders = make_family(tmp_path)[1:]
    change(folders[1], lambda tensors: tensors | {"classifier.dense.bias": np.full(32, 2e5, np.float32)})
    with pytest.raises(InputError, match=r"classifier.dense.bias becomes too large for float16.*--dtype f32"):
        write_merge(plan(folders, kind="F16"), tmp_path / "merged")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["base", "child1", "child2"]


def test_a_parent_that_holds_what_is_no_number_is_named(tmp_path: Path):
    folders = make_family(tmp_path)[1:]
    change(folders[1], lambda tensors: tensors | {"classifier.dense.bias": np.full(32, np.nan, np.float32)})
    with pytest.raises(InputError, match=r"classifier.dense.bias of .*child2 holds nan or infinity"):
        write_merge(plan(folders), tmp_path / "merged")
    assert not (tmp_path / "merged").exists()


def test_whole_numbers_are_taken_from_the_first_and_what_differs_is_noted(tmp_path: Path):
    folders = make_family(tmp_path)[1:]
    ids = "roberta.embeddings.position_ids"
    change(folders[0], lambda tensors: tensors | {ids: np.arange(514, dtype=np.int64)[None]})
    assert "not in every model" in " ".join(plan(folders).notes)
    change(folders[1], lambda tensors: tensors | {ids: np.arange(514, dtype=np.int64)[None]})
    assert not plan(folders).notes
    change(folders[1], lambda tensors: tensors | {ids: np.zeros((1, 514), dtype=np.int64)})
    assert f"{ids} holds whole numbers that differ" in " ".join(plan(folders).notes)
    merged = read_tensors(write_merge(plan(folders), tmp_path / "merged"))
    assert np.array_equal(merged[ids], np.arange(514)[None])


def with_dense_head(folder: Path, seed: int) -> Path:
    """Make of a folder a model of modules whose head lies in a folder of its own."""
    if not (folder / "modules.json").is_file():
        as_embedder(folder)
    modules = json.loads((folder / "modules.json").read_text())[:2]
    modules.append({"idx": 2, "name": "2", "path": "2_Dense", "type": "sentence_transformers.models.Dense"})
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "2_Dense").mkdir(exist_ok=True)
    settings = {
        "in_features": 32,
        "out_features": 1,
        "bias": True,
        "activation_function": "torch.nn.modules.linear.Identity",
    }
    (folder / "2_Dense" / "config.json").write_text(json.dumps(settings))
    rng = np.random.default_rng(seed)
    head = {
        "linear.weight": torch.from_numpy(rng.standard_normal((1, 32)).astype(np.float32)),
        "linear.bias": torch.ones(1),
    }
    save_file(head, folder / "2_Dense" / "model.safetensors")
    return folder


def test_a_head_in_a_module_of_its_own_is_mixed_too_and_one_of_other_random_numbers_is_warned_of(tmp_path: Path):
    folders = [with_dense_head(folder, 5) for folder in make_family(tmp_path, "bert")[1:]]
    change(folders[1], lambda tensors: moved(tensors, 0.01, 1), "2_Dense/model.safetensors")
    assert not plan(folders).warnings
    merged = write_merge(plan(folders), tmp_path / "merged")
    heads = [load_file(folder / "2_Dense" / "model.safetensors")["linear.weight"] for folder in (*folders, merged)]
    assert torch.allclose(heads[2], (heads[0] + heads[1]) / 2)
    assert SentenceTransformer(str(merged), device="cpu").encode("西安").shape == (1,)
    with_dense_head(folders[1], 6)
    (warning,) = plan(folders).warnings
    assert "2_Dense/linear.weight" in warning
    assert "different random numbers" in warning


def test_adapters_and_models_are_not_mixed(tmp_path: Path, family: list[Path]):
    with pytest.raises(InputError, match="accepted are models alone, or LoRA adapters alone"):
        plan([family[1], adapter(tmp_path / "适配器", 1)])


def test_the_lineage_names_sources_weights_and_earlier_merges(tmp_path: Path, family: list[Path]):
    once = write_merge(plan(family[:2], Mix((0.5, 0.5))), tmp_path / "一次")
    twice = write_merge(plan([once, family[2]], Mix((0.25, 0.75))), tmp_path / "两次")
    lineage = json.loads((twice / "merge.json").read_text(encoding="utf-8"))
    assert lineage["settings"] == {"weights": [0.25, 0.75]}
    assert [source["name"] for source in lineage["sources"]] == [str(once), str(family[2])]
    assert lineage["sources"][0]["fingerprint"] == open_parent(str(once)).fingerprint()
    assert lineage["sources"][0]["merged_from"]["settings"] == {"weights": [0.5, 0.5]}
    assert lineage["distances"][0]["nearness"] == "near"
    card = (twice / "README.md").read_text(encoding="utf-8")
    assert "# 两次" in card
    assert f"| {once} | merged | 0.25 |" in card


def test_what_belongs_to_one_model_alone_is_not_taken_over(tmp_path: Path):
    folders = make_family(tmp_path)[1:]
    for name in ("optimizer.pt", "trainer_state.json", "onnx/model.onnx", "probes.json"):
        (folders[0] / name).parent.mkdir(exist_ok=True)
        (folders[0] / name).write_bytes(b"{}")
    found = plan(folders)
    assert "onnx/model.onnx, optimizer.pt, probes.json, trainer_state.json" in " ".join(found.notes)
    merged = write_merge(found, tmp_path / "merged")
    assert sorted(path.name for path in merged.iterdir()) == [
        "README.md", "config.json", "merge.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json",
    ]  # fmt: skip


def test_strangers_are_merged_with_a_warning(tmp_path: Path):
    folders = make_family(tmp_path, spread=0.02)
    assert [one.nearness for one in plan(folders).kinships] == ["near", "near"]
    change(folders[1], lambda tensors: moved(tensors, 0.5, 9))
    shutil.copytree(folders[0], tmp_path / "stranger")
    rng = np.random.default_rng(4)
    stranger = change(tmp_path / "stranger", lambda tensors: {
        name: rng.permutation(tensor.ravel()).reshape(tensor.shape) for name, tensor in tensors.items()
    })  # fmt: skip
    (warning, heads) = plan([folders[0], stranger]).warnings
    assert "share no ancestor" in warning
    assert "classifier.dense.weight" in heads
