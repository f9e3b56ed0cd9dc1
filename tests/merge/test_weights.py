"""Weights as given, and as found from losses."""

from __future__ import annotations

import itertools
import math
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secondpass.errors import InputError
from secondpass.merge.weights import NamedModel, cocktail_weights, given_weights, parse_model


def named(*texts: str) -> list[NamedModel]:
    return [parse_model(text) for text in texts]


def test_weights_stand_beside_the_models_as_numbers_or_fractions():
    assert given_weights(named("模型甲=1/3", "b=2/3")) == pytest.approx((1 / 3, 2 / 3))
    assert given_weights(named("a", "b", "c")) == pytest.approx((1 / 3,) * 3)
    assert given_weights(named("a=1.5", "b=-0.5")) == (1.5, -0.5)


def test_a_folder_with_the_sign_in_its_name_is_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lr=0.5").mkdir()
    assert parse_model("lr=0.5") == NamedModel("lr=0.5", None)
    assert parse_model("lr=0.5=0.25") == NamedModel("lr=0.5", 0.25)


@pytest.mark.parametrize(
    ("models", "words"),
    [
        (["a=0.2", "b=0.2"], "sum to 0.4 (0.2 + 0.2), not to 1"),
        (["a=0.9", "b=0.9"], "sum to 1.8"),
        (["a=0.333", "b=0.333", "c=0.333"], "--normalize"),
        (["a=0.5", "法律"], "法律 has no weight"),
        (["a=nan", "b=0.5"], "is no weight"),
        (["a=much"], "'much' is no weight"),
        (["a=1/0"], "is no weight"),
    ],
)
def test_weights_that_make_no_mean_are_refused(models, words):
    with pytest.raises(InputError, match=re.escape(words)):
        given_weights(named(*models))


def test_weights_are_divided_by_their_sum_where_that_is_asked_for():
    assert given_weights(named("a=2", "b=6"), normalize=True) == (0.25, 0.75)
    with pytest.raises(InputError, match="sum to 0"):
        given_weights(named("a=1", "b=-1"), normalize=True)


@given(st.lists(st.floats(0, 50), min_size=1, max_size=6), st.floats(0.05, 50))
def test_weights_from_losses_sum_to_one_and_the_better_model_has_more(losses, temperature):
    weights = cocktail_weights(losses, temperature)
    assert sum(weights) == pytest.approx(1)
    order = sorted(range(len(losses)), key=losses.__getitem__)
    assert all(weights[a] >= weights[b] for a, b in itertools.pairwise(order))
    if min(weights) > 1e-300:
        assert weights[0] / weights[-1] == pytest.approx(math.exp((losses[-1] - losses[0]) / temperature), rel=1e-6)


def test_a_temperature_of_nothing_and_a_loss_that_is_no_number_are_refused():
    for temperature in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(InputError, match="numbers above 0"):
            cocktail_weights([1.0, 2.0], temperature)
    with pytest.raises(InputError, match="nan"):
        cocktail_weights([1.0, math.nan])
