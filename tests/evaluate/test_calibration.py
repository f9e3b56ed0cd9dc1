"""Bins of probabilities and their error."""

import numpy as np
import pytest

from secondpass.errors import InputError
from secondpass.evaluate.calibration import calibrate


def test_by_hand() -> None:
    found = calibrate([0.05, 0.15, 0.11, 1.0], [False, True, False, True])
    assert [(one.low, one.high, one.pairs) for one in found.bins] == [(0.0, 0.1, 1), (0.1, 0.2, 2), (0.9, 1.0, 1)]
    assert [one.probability for one in found.bins] == pytest.approx([0.05, 0.13, 1.0])
    assert [one.relevant for one in found.bins] == [0.0, 0.5, 1.0]
    assert found.error == pytest.approx((0.05 + 2 * 0.37 + 0) / 4)


def test_probabilities_that_are_true_have_hardly_an_error_and_sure_ones_that_are_wrong_have_all() -> None:
    generator = np.random.default_rng(1)
    probabilities = generator.random(50_000)
    assert calibrate(probabilities, generator.random(50_000) < probabilities).error < 0.01
    assert calibrate([1.0, 1.0, 0.0], [False, False, True]).error == 1.0


def test_every_pair_is_in_one_bin() -> None:
    probabilities = np.linspace(0, 1, 11)
    assert sum(one.pairs for one in calibrate(probabilities, probabilities > 0.5).bins) == 11


def test_no_pairs_have_no_bins() -> None:
    assert calibrate([], []).bins == ()


@pytest.mark.parametrize("probabilities", [[1.5], [-0.1], [float("nan")]])
def test_what_is_no_probability_is_refused(probabilities) -> None:
    with pytest.raises(InputError, match="accepted is 0 to 1"):
        calibrate(probabilities, [True])


def test_judgements_must_be_as_many() -> None:
    with pytest.raises(InputError, match="2 probabilities and 1 judgements"):
        calibrate([0.1, 0.2], [True])
