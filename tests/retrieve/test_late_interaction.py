"""From a folder with a late-interaction model to hits, through the workbench and the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tests.models.colbert_checkpoints import write_pylate, write_stanford

from secondpass import Workbench
from secondpass.errors import InputError, StoreError
from secondpass.index.entries import search_text
from secondpass.models.engine import EngineOptions
from secondpass.models.late_interaction import LateInteractionOptions
from secondpass.models.late_interaction_scorer import open_late_interaction
from secondpass.models.token_encoder_names import open_named_token_encoder
from secondpass.rerank.options import RerankerOptions
from secondpass.workbench import describe_index

ONE_THREAD = RerankerOptions(engine=EngineOptions("onnx", threads=1))
QUESTIONS = ["西安交通大学在哪里", "where is the terracotta army?"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_stanford(tmp_path_factory.mktemp("models") / "colbert-tiny")


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("documents")
    (folder / "校史.md").write_text("西安交通大学在西安。\n\n北京是首都，上海在东。", encoding="utf-8")
    (folder / "army.md").write_text("The terracotta army is in the museum.\n\nThe river is deep.", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def index(model: Path, documents: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("index") / ".secondpass"
    with Workbench(folder, rerankers=ONE_THREAD, token_encoder=str(model)) as workbench:
        workbench.index(documents)
    return folder


@pytest.mark.parametrize("question", QUESTIONS)
def test_the_first_stage_gives_the_scores_of_the_reranker(index: Path, model: Path, question: str) -> None:
    with Workbench(index, rerankers=ONE_THREAD) as workbench:  # the model is opened again by the index's own record
        hits = workbench.search(question, "colbert@10", rerank=[]).hits
    assert len(hits) == 2
    assert {hit.scale for hit in hits} == {"maxsim"}
    assert [hit.stages[-1].stage for hit in hits] == ["colbert", "colbert"]
    scorer = open_late_interaction(model, engine_options=ONE_THREAD.engine)
    expected = [one.score for one in scorer.score(question, [search_text(hit.chunk) for hit in hits])]
    np.testing.assert_allclose([hit.score for hit in hits], expected, rtol=5e-4)  # the store's float16
    assert expected == sorted(expected, reverse=True)


def test_another_model_is_refused(index: Path, tmp_path: Path) -> None:
    other = write_pylate(tmp_path / "other")
    with (
        Workbench(index, rerankers=ONE_THREAD, token_encoder=str(other)) as workbench,
        pytest.raises(StoreError, match=r"was built with token encoder .*colbert-tiny"),
    ):
        workbench.search("西安", "colbert@3")


def test_an_index_without_token_vectors_says_how_to_get_them(documents: Path, tmp_path: Path) -> None:
    with Workbench(tmp_path / "plain") as workbench:
        workbench.index(documents)
        with pytest.raises(StoreError, match="--token-encoder NAME"):
            workbench.search("西安", "colbert@3")


def test_a_model_that_is_not_there_is_refused_before_an_index_is_made(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no model folder"):
        Workbench(tmp_path / "new", token_encoder="nowhere")
    assert not (tmp_path / "new").exists()


def test_the_command_line_indexes_and_searches_by_token_vectors(model: Path, documents: Path, tmp_path: Path) -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "secondpass", *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)

    done = run("index", str(documents), "--token-encoder", str(model))
    assert done.returncode == 0, done.stderr
    assert "embed tokens" in done.stdout
    found = run("search", "西安交通大学在哪里", "--retrieve", "colbert@2", "--json")
    assert found.returncode == 0, found.stderr
    hits = json.loads(found.stdout)["hits"]
    assert len(hits) == 2
    assert any(stage["stage"] == "colbert" for stage in hits[0]["stages"])
    again = run("index", str(documents))
    assert again.returncode == 0, again.stderr
    assert "0 added" in again.stdout


@pytest.mark.parametrize("question", ["a\ud800b 西安", "\udfff"])
def test_half_a_surrogate_pair_in_a_question_is_read_as_an_unknown_character(
    index: Path, model: Path, question: str
) -> None:
    encoder = open_late_interaction(model, engine_options=ONE_THREAD.engine).encoder
    clean = "".join("\ufffd" if "\ud800" <= character <= "\udfff" else character for character in question)
    np.testing.assert_array_equal(encoder.encode_query(question).vectors, encoder.encode_query(clean).vectors)
    np.testing.assert_array_equal(*encoder.encode_document_tokens([question, clean]))
    with Workbench(index, rerankers=ONE_THREAD) as workbench:
        assert len(workbench.search(question, "colbert@10", rerank=[]).hits) == 2


def test_an_index_remembers_that_chinese_punctuation_was_left_out(model: Path, documents: Path, tmp_path: Path) -> None:
    named, question = f"{model}[skiplist=chinese]", QUESTIONS[0]
    with Workbench(tmp_path / "new", rerankers=ONE_THREAD, token_encoder=named) as workbench:
        workbench.index(documents)
    with Workbench(tmp_path / "new", rerankers=ONE_THREAD) as workbench:  # opened again by the index's own record
        hits = workbench.search(question, "colbert@10", rerank=[]).hits
    scorer = open_late_interaction(model, options=LateInteractionOptions("chinese"), engine_options=ONE_THREAD.engine)
    expected = [one.score for one in scorer.score(question, [search_text(hit.chunk) for hit in hits])]
    np.testing.assert_allclose([hit.score for hit in hits], expected, rtol=5e-4)  # the store's float16
    assert named in describe_index(tmp_path / "new")
    with (
        Workbench(tmp_path / "new", rerankers=ONE_THREAD, token_encoder=str(model)) as workbench,
        pytest.raises(StoreError, match=r"Use --token-encoder .*colbert-tiny\[skiplist=chinese\]"),
    ):
        workbench.search(question, "colbert@3")


@pytest.mark.parametrize("settings", ["skiplist=中文", "layer=2", "skiplist=chinese,layer=2"])
def test_a_token_encoder_has_no_other_settings(model: Path, settings: str) -> None:
    with pytest.raises(InputError, match="skiplist=checkpoint or chinese"):
        open_named_token_encoder(f"{model}[{settings}]")
    plain = open_named_token_encoder(f"{model}[skiplist=checkpoint]", ONE_THREAD.engine)
    assert plain.name == str(model)
