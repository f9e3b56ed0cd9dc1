"""The layer that computes the mean does, and the model that has it is an ordinary one."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import CrossEncoder
from tests.models.tiny_models import SENTENCES
from tests.train.mean_folder import PAIRS as FLAG_PAIRS
from tests.train.mean_folder import make_mean_folder
from torch.nn import functional
from transformers import AutoModelForSequenceClassification, AutoTokenizer, BertModel

from secondpass.errors import InputError
from secondpass.models.cross_encoder import open_cross_encoder
from secondpass.models.engine import EngineOptions
from secondpass.train.encoder import PairEncoder, batches_of, open_classifier
from secondpass.train.mean_layer import MEAN_OVER_FIRST, add_mean_layer
from secondpass.train.options import TrainOptions
from secondpass.train.run import run_training

PAIRS = [("长江有多长？", SENTENCES[5]), ("Who invented the telephone?", SENTENCES[13]), ("今天", SENTENCES[20])]

GOLDEN = Path(__file__).parents[1] / "golden" / "flag_reranker.json"  # FlagEmbedding 1.4.2, by make_flag_reranker.py
FLAG_RERANKER = json.loads(GOLDEN.read_text(encoding="utf-8"))


def test_before_training_the_first_state_is_own_state_and_mean_whatever_the_padding(embedder: Path) -> None:
    model = open_classifier(embedder, "mean", None, 0).eval()
    encoder = BertModel.from_pretrained(embedder).eval()
    pairs = [pair for query, text in PAIRS for pair in PairEncoder(embedder, 2, 64).encode(query, [text]).pairs]
    [together], order = batches_of(pairs, 0, True, torch.device("cpu"))
    with torch.no_grad():
        states = model.bert(**together).last_hidden_state[order, 0]
        for pair, state in zip(pairs, states, strict=True):
            [alone], _ = batches_of([pair], 0, True, torch.device("cpu"))
            below = encoder(**alone).last_hidden_state[0]
            once = functional.layer_norm(below[0] + MEAN_OVER_FIRST * below.mean(dim=0), below.shape[1:], eps=1e-12)
            torch.testing.assert_close(state, functional.layer_norm(once, once.shape, eps=1e-12), atol=1e-5, rtol=1e-4)


@pytest.fixture(scope="module")
def tuned(embedder: Path, lessons: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("tuned") / "精排"
    options = TrainOptions(
        model=str(embedder), train=str(lessons / "train.jsonl"), dev=str(lessons / "dev.jsonl"), output=str(output),
        max_steps=20, batch_size=6, group_size=3, learning_rate=3e-3, precision="f32", evaluate_every=10,
    )  # fmt: skip
    outcome = run_training(options, lambda record: None)
    assert outcome is not None
    assert any("the head is new and ordered by chance" in note for note in outcome.notes)
    return output


def test_the_trained_folder_gives_the_same_scores_in_every_library(tuned: Path) -> None:
    scorer = open_cross_encoder(tuned, options=EngineOptions(name="torch", precision="f32"))
    ours = [scorer.score(query, [text])[0].score for query, text in PAIRS]
    assert max(ours) - min(ours) > 0.01
    sentence_transformers = CrossEncoder(str(tuned), device="cpu").predict(PAIRS)
    np.testing.assert_allclose(sentence_transformers, ours, atol=1e-4)
    tokenizer = AutoTokenizer.from_pretrained(tuned)
    model = AutoModelForSequenceClassification.from_pretrained(tuned).eval()
    batch = tokenizer([list(pair) for pair in PAIRS], padding=True, truncation=True, return_tensors="pt")
    with torch.no_grad():
        np.testing.assert_allclose(model(**batch).logits[:, 0].numpy(), ours, atol=1e-4)
    for engine in ("openvino", "onnx"):
        other = open_cross_encoder(tuned, options=EngineOptions(name=engine, precision="f32"))
        np.testing.assert_allclose([other.score(q, [t])[0].score for q, t in PAIRS], ours, atol=1e-4)


def test_an_architecture_without_such_layers_is_refused_by_name(reranker: Path) -> None:
    model = open_classifier(reranker, "own", None, 0)
    model.config.model_type = "distilbert"
    with pytest.raises(InputError, match="this model is a distilbert"):
        add_mean_layer(model)


@pytest.mark.parametrize("kind", ["bert", "xlm-roberta"])
def test_flag_reranker_gave_such_a_folder_the_scores_that_it_has_here(kind: str, tmp_path: Path) -> None:
    folder = make_mean_folder(tmp_path / "model", kind)
    scorer = open_cross_encoder(folder, options=EngineOptions(name="torch"))
    ours = [scorer.score(query, [text])[0].score for query, text in FLAG_PAIRS]
    np.testing.assert_allclose(ours, FLAG_RERANKER[kind], atol=1e-4)
