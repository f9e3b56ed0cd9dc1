"""What cannot be merged is refused before anything is written, and every difference is named."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from tests.merge.families import as_embedder, change, change_json, make_family
from tests.models.tiny_models import Shape, make_model

from secondpass.errors import InputError
from secondpass.merge.compatibility import check_compatible
from secondpass.merge.parents import open_parent


@pytest.fixture
def two(tmp_path: Path) -> list[Path]:
    return make_family(tmp_path / "模型")[1:]


def refusal(first: Path, other: Path) -> str:
    with pytest.raises(InputError, match="accepted are") as caught:
        check_compatible([open_parent(str(first)), open_parent(str(other))])
    return str(caught.value)


def test_another_architecture_and_other_sizes_are_named(tmp_path: Path, two: list[Path]):
    said = refusal(two[0], make_model(tmp_path / "bert", Shape("bert")))
    assert "config.json: model_type is xlm-roberta in" in said
    said = refusal(two[0], make_model(tmp_path / "小", Shape("xlm-roberta", hidden=16)))
    assert f"config.json: hidden_size is 32 in {two[0]}, 16 in {tmp_path / '小'}" in said
    said = refusal(two[0], make_model(tmp_path / "two", Shape("xlm-roberta", labels=2)))
    assert "num_labels is 1 in" in said


def test_every_tensor_that_differs_is_named_the_first_twenty_and_a_count(two: list[Path]):
    change(two[1], lambda tensors: {
        name: np.zeros((3, 3), np.float32) if "attention" in name or name == "classifier.out_proj.weight" else tensor
        for name, tensor in tensors.items()
    })  # fmt: skip
    said = refusal(*two)
    assert "roberta.encoder.layer.0.attention.self.query.weight: [32, 32] in" in said
    assert said.count("\n") == 21
    assert "and 11 more" in said


def test_tensors_that_only_one_has_are_named(two: list[Path]):
    change(
        two[0], lambda tensors: {name: tensor for name, tensor in tensors.items() if name != "classifier.out_proj.bias"}
    )
    assert f"classifier.out_proj.bias [1]: only in {two[1]}" in refusal(*two)


def test_a_vocabulary_with_one_token_renamed_is_named_with_its_number(two: list[Path]):
    path = two[1] / "tokenizer.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    place = next(index for index, pair in enumerate(content["model"]["vocab"]) if pair[0] == "大学")
    content["model"]["vocab"][place][0] = "小学"
    path.write_text(json.dumps(content), encoding="utf-8")
    said = refusal(*two)
    assert f"token '大学': number {place}, against not there" in said
    assert f"token '小学': not there, against number {place}" in said


def test_a_vocabulary_is_the_same_in_another_file_form_and_rules_of_cutting_are_noted(two: list[Path]):
    path = two[1] / "tokenizer.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    content["truncation"] = {"max_length": 64, "strategy": "LongestFirst", "stride": 0, "direction": "Right"}
    path.write_text(json.dumps(content, indent=2), encoding="utf-8")
    parents = [open_parent(str(folder)) for folder in two]
    assert check_compatible(parents) == []
    content["normalizer"] = None
    path.write_text(json.dumps(content), encoding="utf-8")
    (note,) = check_compatible(parents)
    assert "tokenizer.json has another normalizer" in note


def test_word_lists_stand_for_a_tokenizer_where_there_is_no_other(tmp_path: Path):
    folders = make_family(tmp_path, "bert")[1:]
    vocabulary = json.loads((folders[1] / "tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"]
    lines = sorted(vocabulary, key=vocabulary.__getitem__)
    (folders[1] / "tokenizer.json").unlink()
    (folders[1] / "vocab.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    check_compatible([open_parent(str(folder)) for folder in folders])
    lines[60], lines[61] = lines[61], lines[60]
    (folders[1] / "vocab.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert f"token {lines[61]!r}: number 60, against number 61" in refusal(*folders)


def test_settings_that_do_not_decide_are_noted_and_the_first_ones_are_taken(two: list[Path]):
    change_json(
        two[1], "config.json", {"summary_use_proj": False, "hidden_dropout_prob": 0.3, "transformers_version": "4"}
    )
    (note,) = check_compatible([open_parent(str(folder)) for folder in two])
    assert "differs from" in note
    assert "summary_use_proj" in note
    assert "dropout" not in note


def test_shares_of_word_counts_are_those_of_the_first_and_it_is_said(two: list[Path]):
    change_json(two[0], "config.json", {"secondpass": {"with_lexical": {"zh": {}}}})
    change_json(two[1], "config.json", {"secondpass": {"with_lexical": {"zh": {}}}})
    (note,) = check_compatible([open_parent(str(folder)) for folder in two])
    assert note.startswith(f"with_lexical of config.json is that of {two[0]}, fitted to its scores")


def test_another_pooling_is_refused(two: list[Path]):
    for folder in two:
        as_embedder(folder)
    change_json(two[1], "1_Pooling/config.json", {"pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True})
    said = refusal(*two)
    assert "1_Pooling/config.json: pooling_mode_cls_token is True in" in said
    assert "pooling_mode_mean_tokens is False in" in said


def test_weights_that_are_pickles_are_refused_with_what_to_do(two: list[Path]):
    (two[1] / "model.safetensors").rename(two[1] / "pytorch_model.bin")
    with pytest.raises(InputError, match=r"only as pickles \(pytorch_model.bin\).*save_pretrained"):
        open_parent(str(two[1]))


def test_a_head_that_is_a_pickle_beside_safe_weights_is_refused_too(two: list[Path]):
    as_embedder(two[1])
    shutil.copytree(two[1] / "1_Pooling", two[1] / "2_Normalize")
    (two[1] / "2_Normalize" / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(InputError, match=r"pickles \(2_Normalize/pytorch_model.bin\)"):
        open_parent(str(two[1]))


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda folder: (folder / "model.safetensors").write_bytes(b"\x08"), "cut short"),
        (lambda folder: (folder / "model.safetensors").unlink(), "model.safetensors is missing"),
        (lambda folder: (folder / "config.json").write_text("{"), "is not JSON"),
        (lambda folder: (folder / "config.json").unlink(), "no model folder"),
        (lambda folder: (folder / "tokenizer.json").write_text('{"model": {"vocab": 3}}'), "no vocabulary"),
        (shutil.rmtree, "no model folder at"),
    ],
)
def test_a_broken_folder_is_one_sentence(two: list[Path], damage, words):
    damage(two[1])
    with pytest.raises(InputError, match=re.escape(words)):
        check_compatible([open_parent(str(folder)) for folder in two])


def test_a_header_that_lies_about_shapes_is_refused(two: list[Path]):
    path = two[1] / "model.safetensors"
    content = path.read_bytes()
    at = content.index(b'"shape":[32,32]')
    path.write_bytes(content[:at] + b'"shape":[32,31]' + content[at + 15 :])
    with pytest.raises(InputError, match=r"is F32 \[32, 31\] and has 4,096 bytes"):
        open_parent(str(two[1]))


def test_quantized_weights_are_refused(two: list[Path]):
    path = two[1] / "model.safetensors"
    content = path.read_bytes()
    path.write_bytes(content.replace(b'"dtype":"F32"', b'"dtype":"F8_"', 1))
    with pytest.raises(InputError, match="numbers of the type F8_"):
        open_parent(str(two[1]))
