from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from tests.models.model_folders import CROSS_ENCODER, ONE_LABEL, write_json, write_model

from secondpass.errors import InputError
from secondpass.models.checkpoint import check_is_embedder, read_checkpoint, reranker_family
from secondpass.models.profiles import find_profile
from secondpass.models.weight_files import fingerprint

POOLING = [
    {"idx": 0, "path": "", "type": "sentence_transformers.models.Transformer"},
    {"idx": 1, "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
]
NLI = {**CROSS_ENCODER, "id2label": {"0": "contradiction", "1": "entailment", "2": "neutral"}}
TOPICS = {**CROSS_ENCODER, "id2label": {"0": "体育", "1": "财经", "2": "科技", "3": "娱乐"}}
QWEN = {"architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3"}
JINA = {**ONE_LABEL, "auto_map": {"AutoModel": "modeling_xlm_roberta.XLMRobertaForSequenceClassification"}}
NEW = {"architectures": ["NewForSequenceClassification"], "model_type": "new", "id2label": {"0": "LABEL_0"},
       "auto_map": {"AutoConfig": "configuration.NewConfig"}}  # fmt: skip
CASES: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    (ONE_LABEL, {}, "cross-encoder"),
    ({"architectures": ["ModernBertForSequenceClassification"], "model_type": "modernbert"}, {}, "cross-encoder"),
    (QWEN, {}, "causal"),
    (QWEN, {"modules.json": POOLING}, "bi-encoder"),
    ({"architectures": ["T5ForConditionalGeneration"], "model_type": "t5"}, {}, "seq2seq"),
    ({"architectures": ["WhisperForConditionalGeneration"], "model_type": "whisper"}, {}, "unknown"),
    ({"architectures": ["XLMRobertaModel"], "model_type": "xlm-roberta"}, {}, "bi-encoder"),
    ({"architectures": ["BertModel"], "model_type": "bert"}, {"modules.json": POOLING}, "bi-encoder"),
    (
        {"architectures": ["HF_ColBERT"], "model_type": "bert"},
        {"artifact.metadata": {"query_maxlen": 32}},
        "late-interaction",
    ),
    (
        {"architectures": ["ModernBertModel"], "model_type": "modernbert"},
        {"config_sentence_transformers.json": {"query_length": 32, "document_length": 300}},
        "late-interaction",
    ),
    (
        {"architectures": ["BertModel"], "model_type": "bert"},
        {"config_sentence_transformers.json": {"model_type": "MultiVectorEncoder"}, "modules.json": POOLING[:1]},
        "late-interaction",
    ),
    ({"model_type": "bert"}, {}, "unknown"),
]  # fmt: skip


@pytest.mark.parametrize(("config", "others", "kind"), CASES)
def test_the_kind_is_read_from_the_files(
    tmp_path: Path, config: dict[str, Any], others: dict[str, Any], kind: str
) -> None:
    folder = write_model(tmp_path / "模型", config)
    for name, content in others.items():
        write_json(folder / name, content)
    assert read_checkpoint(folder).kind == kind


def test_real_folders_of_the_reference_library_are_recognized(tiny_bert: Path, tmp_path: Path) -> None:
    library = pytest.importorskip("sentence_transformers", reason="pip install 'secondpass[torch]'")
    for name, maker in (("bi-encoder", "SentenceTransformer"), ("late-interaction", "MultiVectorEncoder")):
        if not hasattr(library, maker):
            continue
        getattr(library, maker)(str(tiny_bert)).save_pretrained(str(tmp_path / name))
        assert read_checkpoint(tmp_path / name).kind == name
    library.CrossEncoder(str(tiny_bert)).save_pretrained(str(tmp_path / "cross-encoder"))
    checkpoint = read_checkpoint(tmp_path / "cross-encoder")
    assert (checkpoint.kind, checkpoint.labels) == ("cross-encoder", ("LABEL_0",))


def test_the_number_of_outputs_is_read_from_the_weights(tmp_path: Path) -> None:
    unnamed = write_model(tmp_path / "二分类", {**CROSS_ENCODER})
    assert read_checkpoint(unnamed).labels == ("LABEL_0", "LABEL_1")
    save_file({"classifier.weight": np.ones((1, 4), np.float32)}, unnamed / "model.safetensors")
    assert read_checkpoint(unnamed).labels == ("LABEL_0",)


def test_entailment_is_found_by_its_name(tmp_path: Path) -> None:
    assert read_checkpoint(write_model(tmp_path / "en", NLI)).entailment == 1
    chinese = {**CROSS_ENCODER, "id2label": {"0": "矛盾", "1": "中立", "2": "蕴含"}}
    assert read_checkpoint(write_model(tmp_path / "zh", chinese)).entailment == 2


def family(folder: Path, profile: str | None = None) -> str:
    return reranker_family(read_checkpoint(folder), find_profile(profile) if profile else None)


def test_every_family_is_accepted_with_its_profile(tmp_path: Path) -> None:
    assert family(write_model(tmp_path / "一")) == "cross-encoder"
    assert family(write_model(tmp_path / "二", NLI)) == "cross-encoder"
    qwen = write_model(tmp_path / "三", QWEN)
    assert family(qwen, "Qwen/Qwen3-Reranker-0.6B") == "causal"
    t5 = write_model(tmp_path / "四", {"architectures": ["T5ForConditionalGeneration"], "model_type": "t5"})
    assert family(t5, "castorini/monot5-base-msmarco") == "seq2seq"
    assert family(t5, "castorini/duot5-base-msmarco") == "seq2seq-pairs"
    minicpm = {
        "architectures": ["LayerWiseMiniCPMForCausalLM"],
        "model_type": "minicpm",
        "auto_map": {"AutoModelForCausalLM": "modeling_minicpm_reranker.LayerWiseMiniCPMForCausalLM"},
    }
    folder = write_model(tmp_path / "五", minicpm)
    assert family(folder, "BAAI/bge-reranker-v2-minicpm-layerwise") == "layerwise"


def test_an_embedder_is_refused_as_a_reranker(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "向量模型", {"architectures": ["BertModel"], "model_type": "bert"})
    with pytest.raises(InputError, match=r"向量模型 \(BertModel\) is an embedder.*Use it with --embedder"):
        family(folder)


def test_a_language_model_without_a_profile_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nonsense\. Known profiles are .*Qwen/Qwen3-Reranker-0\.6B"):
        family(write_model(tmp_path / "大模型", QWEN))
    t5 = write_model(tmp_path / "t5", {"architectures": ["T5ForConditionalGeneration"], "model_type": "t5"})
    with pytest.raises(InputError, match=r"T5 model without a known profile.*castorini/monot5"):
        family(t5)


def test_a_classifier_on_a_decoder_is_a_cross_encoder_and_reads_a_form_where_its_profile_is_named(
    tmp_path: Path,
) -> None:
    for architecture, model_type in (("Qwen3", "qwen3"), ("Llama", "llama"), ("Gemma", "gemma")):
        config = {"architectures": [f"{architecture}ForSequenceClassification"], "model_type": model_type}
        folder = write_model(tmp_path / f"分类-{model_type}", {**config, "id2label": {"0": "LABEL_0"}})
        assert family(folder) == "cross-encoder"
        assert family(folder, "Qwen/Qwen3-Reranker-0.6B") == "causal"
        assert family(folder, "BAAI/bge-reranker-v2-m3") == "cross-encoder"
        with pytest.raises(InputError, match="profile castorini/monot5-base-msmarco is for a seq2seq model"):
            family(folder, "castorini/monot5-base-msmarco")


def test_a_profile_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"is a cross-encoder .* profile Qwen/Qwen3-Reranker-4B is for a causal model"):
        family(write_model(tmp_path / "模型"), "Qwen/Qwen3-Reranker-4B")


def test_a_classifier_of_topics_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"sorts texts into 4 classes \(体育, 财经, 科技, 娱乐\)"):
        family(write_model(tmp_path / "分类", TOPICS))


def test_code_from_a_repository_is_never_run(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "gte", NEW)
    with pytest.raises(InputError, match=r"never run; give a folder that holds an ONNX export"):
        family(folder)
    (folder / "onnx").mkdir()
    (folder / "onnx" / "model.onnx").write_bytes(b"graph")
    assert family(folder) == "cross-encoder"


def test_a_native_name_with_weights_of_another_layout_needs_own_code(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "native", JINA)
    assert family(folder) == "cross-encoder"  # the entry is left over; the architecture is native
    layout = {"roberta.encoder.layers.0.mixer.Wqkv.weight": np.ones((6, 2), np.float32)}
    save_file(load_file(folder / "model.safetensors") | layout, folder / "model.safetensors")
    with pytest.raises(InputError, match="code from its own repository"):
        family(folder)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (ONE_LABEL, "is a cross-encoder .* Use it as a reranker"),
        (QWEN, "is a text generator"),
        ({"architectures": ["HF_ColBERT"], "model_type": "bert"}, "is a late-interaction model .* for every token"),
    ],
)
def test_what_gives_no_vector_is_refused_as_an_embedder(tmp_path: Path, config: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        check_is_embedder(read_checkpoint(write_model(tmp_path / "模型", config)))


def test_an_embedder_is_an_embedder(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "bge-小", {"architectures": ["BertModel"], "model_type": "bert"})
    check_is_embedder(read_checkpoint(folder))


def test_missing_files_are_named(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "模型")
    shutil.copytree(folder, tmp_path / "a")
    (tmp_path / "a" / "tokenizer.json").unlink()
    with pytest.raises(InputError, match=r"has no tokenizer: tokenizer\.json is missing"):
        read_checkpoint(tmp_path / "a")
    shutil.copytree(folder, tmp_path / "b")
    (tmp_path / "b" / "model.safetensors").unlink()
    with pytest.raises(InputError, match=r"model\.safetensors is missing \(found: config\.json, tokenizer\.json\)"):
        read_checkpoint(tmp_path / "b")
    index = {"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}
    write_json(folder / "model.safetensors.index.json", index)
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    with pytest.raises(InputError, match=r"model-00002-of-00002\.safetensors, one of 2 weight files, is missing"):
        read_checkpoint(folder)


def test_pickles_are_refused(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "旧模型")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(InputError, match=r"only as pickles \(pytorch_model\.bin\)"):
        read_checkpoint(folder)


@pytest.mark.parametrize("content", [b"\x00" * 100, b"", b"abc", b"\xff" * 100, b"\x02\x00\x00\x00\x00\x00\x00\x00[]"])
def test_broken_weights_are_named(tmp_path: Path, content: bytes) -> None:
    folder = write_model(tmp_path / "模型")
    (folder / "model.safetensors").write_bytes(content)
    with pytest.raises(InputError, match="cut short or no safetensors file"):
        read_checkpoint(folder)


def test_weights_that_are_cut_short_are_named(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "模型")
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[:-1])
    with pytest.raises(InputError, match="cut short"):
        read_checkpoint(folder)


def test_a_pointer_of_git_lfs_is_named(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "模型")
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 1112201932\n"
    (folder / "model.safetensors").write_text(pointer, "utf-8")
    with pytest.raises(InputError, match="git lfs pull"):
        read_checkpoint(folder)


@pytest.mark.parametrize("text", ["{", "[]", "三"])
def test_settings_that_are_no_object_are_named(tmp_path: Path, text: str) -> None:
    folder = write_model(tmp_path / "模型")
    (folder / "config.json").write_text(text, "utf-8")
    with pytest.raises(InputError, match=r"config\.json (is not JSON|holds no object)"):
        read_checkpoint(folder)


def test_a_copy_has_the_same_fingerprint_and_every_change_another(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "一", size=512)  # 2 MB, sampled and not read whole
    copy = Path(shutil.copytree(folder, tmp_path / "二"))
    original = fingerprint(folder)
    assert fingerprint(copy) == original
    (copy / "README.md").write_text("说明", "utf-8")
    assert fingerprint(copy) == original
    tensors = load_file(copy / "model.safetensors")
    tensors["classifier.weight"][0, 0] += 1e-3
    save_file(tensors, copy / "model.safetensors")
    assert fingerprint(copy) != original
    other = Path(shutil.copytree(folder, tmp_path / "三"))
    write_json(other / "tokenizer.json", {"model": {"vocab": {"四校": 0}}})
    assert fingerprint(other) != original


def test_training_any_one_tensor_changes_the_fingerprint(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "模型", size=300)
    seen = {fingerprint(folder)}
    tensors = load_file(folder / "model.safetensors")
    for name in sorted(tensors):
        save_file({**tensors, name: tensors[name] * np.float32(1.001)}, folder / "model.safetensors")
        seen.add(fingerprint(folder))
    assert len(seen) == len(tensors) + 1


def test_a_model_of_two_gigabytes_has_a_fingerprint(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "大", ONE_LABEL)
    tensors, end = {}, 0
    for layer in range(400):
        tensors[f"layer.{layer}.weight"] = {
            "dtype": "F32",
            "shape": [1024, 1280],
            "data_offsets": [end, end + 5_242_880],
        }
        end += 5_242_880
    header = json.dumps(tensors).encode()
    with (folder / "model.safetensors").open("wb") as file:  # 2.1 GB without a byte on the disk
        file.write(len(header).to_bytes(8, "little") + header)
        os.truncate(file.fileno(), 8 + len(header) + end)
    assert len(read_checkpoint(folder).fingerprint()) == 16
