"""A model made smaller keeps what can be kept exactly, and is an ordinary checkpoint."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.models.pointing_folders import make_pointing
from tests.models.tiny_models import Shape, make_model
from tests.train.runs import outcome_of, run, settings
from transformers import AutoModelForSequenceClassification

from secondpass.errors import InputError
from secondpass.models.cross_encoder import open_cross_encoder
from secondpass.models.engine import EngineOptions
from secondpass.train.smaller import Size, make_smaller, size_of


@pytest.fixture
def model(tmp_path: Path) -> Any:
    """A random classifier: 3 layers, 4 heads of 8, 64 neurons."""
    folder = make_model(tmp_path / "model", Shape("bert"))
    return AutoModelForSequenceClassification.from_pretrained(folder).eval()


@pytest.fixture
def batches(model: Any) -> list[dict[str, torch.Tensor]]:
    """Tokens drawn at random."""
    generator = torch.Generator().manual_seed(3)
    drawn = [torch.randint(7, model.config.vocab_size, (2, length), generator=generator) for length in (9, 14)]
    return [{"input_ids": ids, "attention_mask": torch.ones_like(ids)} for ids in drawn]


def logits(model: Any, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = model.eval()(**batch).logits
    return found


def test_layers_that_stay_compute_what_they_did(model: Any, batches: list[dict[str, torch.Tensor]]) -> None:
    smaller = make_smaller(model, Size(layers=(0, 2)), batches)
    assert smaller.config.num_hidden_layers == 2
    assert model.config.num_hidden_layers == 3
    del model.bert.encoder.layer[1]
    torch.testing.assert_close(logits(smaller, batches[0]), logits(model, batches[0]))


def test_neurons_that_move_nothing_go_first(model: Any, batches: list[dict[str, torch.Tensor]]) -> None:
    with torch.no_grad():
        for layer in model.bert.encoder.layer:
            layer.output.dense.weight[:, 1::2] = 0
    smaller = make_smaller(model, Size(neurons=32), batches)
    assert smaller.config.intermediate_size == 32
    torch.testing.assert_close(logits(smaller, batches[1]), logits(model, batches[1]))


def test_the_scores_of_a_joined_head_are_the_weighted_sum_of_two(
    model: Any, batches: list[dict[str, torch.Tensor]]
) -> None:
    before = model.bert.encoder.layer[0].attention.self
    with torch.no_grad():  # heads 1 and 3 look at the same tokens
        for part in (before.query, before.key):
            part.weight[24:32], part.bias[24:32] = part.weight[8:16], part.bias[8:16]
    after = make_smaller(model, Size(heads=2), batches).bert.encoder.layer[0].attention.self
    assert (after.num_attention_heads, after.attention_head_size) == (2, 16)
    states = torch.randn(5, 32, generator=torch.Generator().manual_seed(1))

    def scores(attention: Any, place: int, size: int) -> torch.Tensor:
        part = slice(place * size, (place + 1) * size)
        found: torch.Tensor = attention.query(states)[:, part] @ attention.key(states)[:, part].T / size**0.5
        return found

    torch.testing.assert_close(scores(after, 0, 16), 0.8 * 2 * scores(before, 1, 8), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(
        scores(after, 1, 16), 0.8 * (scores(before, 0, 8) + scores(before, 2, 8)), rtol=1e-4, atol=1e-5
    )


def test_a_smaller_model_is_taught_by_the_one_it_was_made_of_and_serves(lessons: Path, tmp_path: Path) -> None:
    teacher = make_pointing(tmp_path / "大")
    size = {"layers": "0,2", "heads": 2, "neurons": 48}
    run(settings(teacher, lessons, tmp_path / "小", teacher=str(teacher), evidence=0.5, **size))
    config = json.loads((tmp_path / "小" / "config.json").read_text(encoding="utf-8"))
    assert (config["num_hidden_layers"], config["num_attention_heads"], config["intermediate_size"]) == (2, 2, 48)
    assert outcome_of(tmp_path / "小")["steps"] == 12
    texts = ["长江流入东海。", "the river ends in the harbour."]
    ours = [
        one.score
        for one in open_cross_encoder(tmp_path / "小", options=EngineOptions("onnx", "f32")).score("长江?", texts)
    ]
    same = open_cross_encoder(tmp_path / "小", options=EngineOptions("torch", "f32")).score("长江?", texts)
    assert ours == pytest.approx([one.score for one in same], abs=1e-4)


@pytest.mark.parametrize(
    ("size", "message"),
    [
        (Size(layers=(0, 3)), "numbers from 0 to 2, rising"),
        (Size(layers=(2, 0)), "numbers from 0 to 2, rising"),
        (Size(heads=3), "the model has 4, of which 2 can be made"),
        (Size(neurons=65), "the model has 64; give fewer"),
    ],
)
def test_sizes_that_cannot_be_made_are_refused(
    model: Any, batches: list[dict[str, torch.Tensor]], size: Size, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        make_smaller(model, size, batches)


def test_layers_are_numbers() -> None:
    with pytest.raises(InputError, match="write the numbers of those that stay"):
        size_of("first", 0, 0)
