"""What is computed in training is what an ordinary forward pass computes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.models.colbert_checkpoints import write_stanford
from tests.models.tiny_causal import make_causal
from tests.models.tiny_models import SENTENCES, Shape, make_model
from transformers import AutoModelForSequenceClassification, ElectraConfig, ElectraForSequenceClassification

from secondpass.errors import InputError
from secondpass.train.encoder import ClassifierScores, Pair, PairEncoder, batches_of, open_classifier
from secondpass.train.groups import Group
from secondpass.train.opening import open_model
from secondpass.train.options import TrainOptions

CPU = torch.device("cpu")
KINDS = ("bert", "roberta", "xlm-roberta", "electra")


@pytest.fixture(scope="module", params=KINDS)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    kind = str(request.param)
    place = make_model(tmp_path_factory.mktemp("kinds") / kind, Shape("bert" if kind == "electra" else kind))
    if kind == "electra":
        torch.manual_seed(5)
        config = ElectraConfig(vocab_size=600, embedding_size=16, hidden_size=32, num_hidden_layers=2, num_labels=1,
                               num_attention_heads=4, intermediate_size=64)  # fmt: skip
        ElectraForSequenceClassification(config).save_pretrained(place)
    return place


def pairs_of(folder: Path, segments: int) -> list[Pair]:
    encoder = PairEncoder(folder, segments, 64)
    encoded = [encoder.encode(query[:7], SENTENCES[place::5]) for place, query in enumerate(SENTENCES[:5])]
    return [pair for one in encoded for pair in one.pairs]


def test_the_first_token_alone_gives_the_scores_and_gradients_of_the_whole(folder: Path) -> None:
    segments = folder.name in {"bert", "electra"}
    pairs = pairs_of(folder, 2 if segments else 1)
    pad_id = 0 if segments else 1
    ours = open_classifier(folder, "own", None, 0).eval()
    theirs = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=1).eval()
    batches, order = batches_of(pairs, pad_id, segments, CPU)
    scores = ClassifierScores(ours)(batches, order)
    one_by_one = []
    for pair in pairs:  # without padding, one pair at a time
        alone, _ = batches_of([pair], pad_id, segments, CPU)
        one_by_one.append(theirs(**alone[0]).logits[:, 0])
    expected = torch.cat(one_by_one)
    torch.testing.assert_close(scores, expected, atol=2e-6, rtol=2e-5)
    weights = torch.linspace(-1, 1, len(pairs))
    (scores * weights).sum().backward()
    (expected * weights).sum().backward()
    wanted = dict(theirs.named_parameters())
    for name, parameter in ours.named_parameters():
        torch.testing.assert_close(parameter.grad, wanted[name].grad, atol=3e-5, rtol=1e-3, msg=name)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 60), min_size=1, max_size=40))
def test_batches_hold_every_pair_once_and_the_order_finds_it(lengths: list[int]) -> None:
    pairs = [Pair(np.full(length, number, dtype=np.int64), length) for number, length in enumerate(lengths)]
    batches, order = batches_of(pairs, 0, False, CPU)
    firsts = torch.cat([batch["input_ids"][:, 0] for batch in batches])
    assert firsts[order].tolist() == list(range(len(pairs)))
    real = torch.cat([batch["attention_mask"].sum(dim=1) for batch in batches])
    assert real[order].tolist() == lengths


def test_pairs_too_long_are_cut_as_the_tokenizer_cuts_them_and_counted(reranker: Path) -> None:
    encoder = PairEncoder(reranker, 2, 20)
    encoded = encoder.encode("长江有多长？", ["长江全长六千三百公里，是亚洲最长的河流。" * 3, "短"])
    assert encoded.cut == 1
    assert [len(pair.ids) for pair in encoded.pairs] == [20, 6 + 1 + 3]


def test_a_head_that_is_not_there_is_not_made_up(embedder: Path) -> None:
    with pytest.raises(InputError, match=r"no head of a reranker \(classifier"):
        open_classifier(embedder, "own", None, 0)


def test_a_new_head_follows_from_the_seed(embedder: Path) -> None:
    one, same, other = (open_classifier(embedder, "mean", None, seed).classifier.weight for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


@pytest.mark.parametrize("family", ["cross-encoder", "late-interaction", "causal"])
def test_layers_computed_twice_give_the_same_gradients(family: str, tmp_path: Path) -> None:
    if family == "cross-encoder":
        place, given = make_model(tmp_path / "模型", Shape("bert", layers=2)), {}
    elif family == "late-interaction":
        place, given = write_stanford(tmp_path / "模型"), {}
    else:
        place = make_causal(tmp_path / "模型", "gemma", num_hidden_layers=2)
        given = {"profile": "BAAI/bge-reranker-v2-gemma", "lora_rank": 2}
    groups = [Group("长江有多长？", ("长江全长六千三百公里。", "It rained all day."), (1.0, 0.0))]
    found = []
    for twice in (False, True):
        model = open_model(place, TrainOptions(gradient_checkpointing=twice, dropout=0.0, **given))
        inputs, order, _ = model.batches(groups, CPU)
        (model.module.train()(inputs, order) * torch.tensor([1.0, -2.0])).sum().backward()
        found.append({name: value.grad for name, value in model.module.named_parameters() if value.grad is not None})
    assert found[0].keys() == found[1].keys()
    assert any(bool(value.any()) for value in found[0].values())
    for name, value in found[0].items():
        torch.testing.assert_close(found[1][name], value, msg=name)
