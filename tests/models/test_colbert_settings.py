from __future__ import annotations

import json
import string
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file
from tests.models.colbert_checkpoints import projection, write_pylate, write_stanford

from secondpass.errors import InputError
from secondpass.models.colbert_settings import read_projection, read_settings


def change(path: Path, **fields: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | fields), encoding="utf-8")


def test_settings_of_a_stanford_checkpoint_come_from_its_metadata(tmp_path: Path) -> None:
    settings = read_settings(write_stanford(tmp_path / "m", query_maxlen=24, mask_punctuation=False))
    assert (settings.query_length, settings.expanded_length, settings.document_length) == (24, 24, 48)
    assert (settings.query_marker, settings.document_marker) == ("[unused0]", "[unused1]")
    assert settings.skip_words == ()
    assert settings.expansion_token == "[MASK]"


def test_a_stanford_checkpoint_without_metadata_has_the_lengths_of_the_paper(tmp_path: Path) -> None:
    folder = write_stanford(tmp_path / "m")
    (folder / "artifact.metadata").unlink()
    settings = read_settings(folder)
    assert (settings.query_length, settings.document_length) == (32, 220)
    assert settings.skip_words == tuple(string.punctuation)


def test_settings_of_a_pylate_checkpoint_come_from_its_config(tmp_path: Path) -> None:
    settings = read_settings(write_pylate(tmp_path / "m", do_query_expansion=False, skiplist_words=["，", "。"]))
    assert (settings.query_length, settings.expanded_length, settings.document_length) == (32, 0, 48)
    assert (settings.query_marker, settings.document_marker) == ("[Q] ", "[D] ")
    assert settings.skip_words == ("，", "。")


def test_lengths_stay_within_the_positions_of_the_encoder(tmp_path: Path) -> None:
    assert read_settings(write_stanford(tmp_path / "m", doc_maxlen=9000)).document_length == 512


def test_the_projection_of_both_layouts_is_the_same_matrix(tmp_path: Path) -> None:
    for folder in (write_stanford(tmp_path / "a"), write_pylate(tmp_path / "b")):
        np.testing.assert_array_equal(read_projection(folder), projection())


def test_two_projections_become_one_matrix(tmp_path: Path) -> None:
    folder = write_pylate(tmp_path / "m")
    modules = json.loads((folder / "modules.json").read_text(encoding="utf-8"))
    modules.append({"idx": 2, "name": "2", "path": "2_Dense", "type": "pylate.models.Dense.Dense"})
    (folder / "modules.json").write_text(json.dumps(modules), encoding="utf-8")
    (folder / "2_Dense").mkdir()
    second = np.random.default_rng(2).standard_normal((4, 16)).astype(np.float32)
    save_file({"linear.weight": second}, str(folder / "2_Dense" / "model.safetensors"))
    np.testing.assert_allclose(read_projection(folder), second @ projection(), rtol=1e-6)


@pytest.mark.parametrize(
    ("fields", "words"),
    [({"bias": True}, "bias True"), ({"activation_function": "torch.nn.modules.activation.Tanh"}, "activation Tanh")],
)
def test_a_projection_that_is_no_plain_matrix_is_refused(fields: dict[str, object], words: str, tmp_path: Path) -> None:
    folder = write_pylate(tmp_path / "m")
    change(folder / "1_Dense" / "config.json", **fields)
    with pytest.raises(InputError, match=words):
        read_projection(folder)


def test_a_checkpoint_without_projection_is_refused(tmp_path: Path) -> None:
    folder = write_pylate(tmp_path / "m")
    (folder / "1_Dense" / "model.safetensors").unlink()
    with pytest.raises(InputError, match=r"linear\.weight is wanted"):
        read_projection(folder)


def test_an_embedder_is_refused_with_what_was_found(tmp_path: Path) -> None:
    folder = write_pylate(tmp_path / "m")
    (folder / "config_sentence_transformers.json").write_text("{}", encoding="utf-8")
    with pytest.raises(InputError, match=r"no late-interaction model \(found: Transformer, Dense\)"):
        read_settings(folder)


def test_modules_that_are_not_known_are_refused_by_name(tmp_path: Path) -> None:
    folder = write_pylate(tmp_path / "m")
    modules = json.loads((folder / "modules.json").read_text(encoding="utf-8"))
    modules.append({"idx": 2, "name": "2", "path": "2_P", "type": "x.HierarchicalTokenPooling"})
    (folder / "modules.json").write_text(json.dumps(modules), encoding="utf-8")
    with pytest.raises(InputError, match="HierarchicalTokenPooling"):
        read_settings(folder)
