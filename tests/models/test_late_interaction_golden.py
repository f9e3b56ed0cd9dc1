"""Scores equal those of the reference libraries."""

from __future__ import annotations

import importlib
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.models.colbert_checkpoints import (
    KNOWN_PUNCTUATION,
    PASSAGES,
    POSITIONS,
    QUERIES,
    write_pylate,
    write_stanford,
)

from secondpass.models.colbert_settings import read_projection
from secondpass.models.engine import EngineName, EngineOptions
from secondpass.models.late_interaction import LateInteractionOptions
from secondpass.models.late_interaction_scorer import LateInteractionScorer, open_late_interaction
from secondpass.models.torch_encoder import TorchEncoderEngine

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "pylate.json").read_text(encoding="utf-8"))
AS_THE_REFERENCE = LateInteractionOptions(cut_long=True)


LIMIT = POSITIONS - 3  # without the marks
LENGTHS = [word * count for word in ("river ", "西", "西安 bank ") for count in (1, 2, 17, 100, 165)]
LENGTHS += ["river " * LIMIT, "西" * LIMIT, "over " + "river " * LIMIT, "over" + "西" * LIMIT]


def open_scorer(folder: Path, options: LateInteractionOptions = AS_THE_REFERENCE) -> LateInteractionScorer:
    engine = TorchEncoderEngine(folder, "tokens", projection=read_projection(folder))
    return open_late_interaction(folder, options=options, engine=engine)


def all_scores(scorer: LateInteractionScorer) -> list[list[float]]:
    return [[one.score for one in scorer.score(query, PASSAGES)] for query in QUERIES]


@pytest.mark.parametrize("name", GOLDEN["variants"])
def test_scores_equal_those_of_pylate(name: str, tmp_path: Path) -> None:
    variant = GOLDEN["variants"][name]
    folder = (write_stanford if variant["kind"] == "stanford" else write_pylate)(tmp_path / "m", **variant["settings"])
    np.testing.assert_allclose(all_scores(open_scorer(folder)), variant["scores"], atol=1e-4)


@pytest.mark.parametrize("engine", ["openvino", "onnx", "torch"])
@pytest.mark.parametrize("kind", ["stanford", "pylate"])
def test_every_engine_gives_the_scores_of_pylate(engine: EngineName, kind: str, tmp_path: Path) -> None:
    variant = GOLDEN["variants"][kind]
    folder = (write_stanford if kind == "stanford" else write_pylate)(tmp_path / "m", **variant["settings"])
    scorer = open_late_interaction(folder, options=AS_THE_REFERENCE, engine_options=EngineOptions(engine, threads=1))
    assert scorer.encoder.engine.name == engine
    np.testing.assert_allclose(all_scores(scorer), variant["scores"], atol=1e-4)


def reference(folder: Path) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        library = importlib.import_module("sentence_transformers")  # seconds; only the tests that need it pay
        return library.MultiVectorEncoder(str(folder), device="cpu")


def reference_scores(model: Any) -> list[list[float]]:
    return model.similarity(model.encode_query(QUERIES), model.encode_document(PASSAGES)).tolist()


@pytest.mark.parametrize("layout", ["stanford", "pylate"])
@pytest.mark.parametrize("attend", [False, True])
def test_scores_equal_those_of_sentence_transformers_before_and_after_it_saves(
    layout: str, attend: bool, tmp_path: Path
) -> None:
    if layout == "stanford":
        folder = write_stanford(tmp_path / "old", attend_to_mask_tokens=attend)
    else:
        folder = write_pylate(tmp_path / "old", attend_to_expansion_tokens=attend)
    model = reference(folder)
    model.save(str(tmp_path / "new"))
    expected = reference_scores(model)
    np.testing.assert_allclose(all_scores(open_scorer(folder)), expected, atol=1e-4)
    np.testing.assert_allclose(all_scores(open_scorer(tmp_path / "new")), expected, atol=1e-4)


@pytest.fixture(scope="module")
def longest(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[list[float]]]:
    """A model that reads 512 tokens of a document, and what sentence-transformers says of `LENGTHS`."""
    folder = write_pylate(tmp_path_factory.mktemp("models") / "long", document_length=POSITIONS)
    model = reference(folder)
    vectors = [model.encode_document([text]) for text in LENGTHS]
    columns = [model.similarity(model.encode_query(QUERIES), one)[:, 0].tolist() for one in vectors]
    return folder, [list(row) for row in zip(*columns, strict=True)]


@pytest.mark.parametrize("engine", ["openvino", "onnx", "numpy", "torch"])
def test_from_one_token_to_the_limit_scores_equal_those_of_sentence_transformers(
    engine: EngineName, longest: tuple[Path, list[list[float]]]
) -> None:
    folder, expected = longest
    scorer = open_late_interaction(folder, options=AS_THE_REFERENCE, engine_options=EngineOptions(engine, threads=1))
    scores = [scorer.score(query, LENGTHS) for query in QUERIES]
    assert [one.truncated for one in scores[0]] == [text.startswith("over") for text in LENGTHS]
    np.testing.assert_allclose([[one.score for one in row] for row in scores], expected, atol=1e-4)


@pytest.mark.parametrize(
    "expansion", [None, {"strategy": "min", "length": 12}, {"strategy": "fixed", "length": 9, "token": "[PAD]"}]
)
def test_every_expansion_of_sentence_transformers_is_followed(expansion: Any, tmp_path: Path) -> None:
    model = reference(write_pylate(tmp_path / "old", skiplist_words=KNOWN_PUNCTUATION))
    model[0].query_expansion = expansion
    model[0].query_length = 14 if expansion is None else None
    model[2].skiplist_tasks = ["query", "document"]
    model.prompts = {"query": "[Q] who: ", "document": "the city: "}
    model.similarity_fn_name = "meanmaxsim"
    model.save(str(tmp_path / "new"))
    scorer = open_scorer(tmp_path / "new")
    np.testing.assert_allclose(all_scores(scorer), reference_scores(reference(tmp_path / "new")), atol=1e-4)
    assert scorer.encoder.settings.mean
