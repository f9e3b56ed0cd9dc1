"""What must hold of a mix and of the arc, whatever the numbers."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from tests.merge.arrays_on_disk import aligned, merged

from secondpass.merge import tensor_files
from secondpass.merge.methods import Mix, Slerp

NUMBERS = arrays(np.float32, st.just(11), elements=st.floats(-100, 100, width=32))
on_disk = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tensor_files, "BLOCK", 4)


@on_disk
@given(NUMBERS, st.floats(0, 1))
def test_a_mix_of_equals_is_itself(tmp_path: Path, values, share):
    tensor = aligned(tmp_path, [values, values])
    assert np.allclose(merged(Mix((share, 1 - share)), tensor), values, rtol=1e-6, atol=1e-5)


@on_disk
@given(NUMBERS, NUMBERS, NUMBERS)
def test_models_and_their_weights_may_change_places(tmp_path: Path, a, b, c):
    one = merged(Mix((0.2, 0.5, 0.3)), aligned(tmp_path, [a, b, c]))
    other = merged(Mix((0.3, 0.2, 0.5)), aligned(tmp_path, [c, a, b]))
    assert np.allclose(one, other, rtol=1e-5, atol=1e-4)
    assert np.allclose(one, 0.2 * a + 0.5 * b + 0.3 * c, rtol=1e-5, atol=1e-4)


@on_disk
@given(NUMBERS, NUMBERS)
def test_the_arc_ends_at_both_models(tmp_path: Path, a, b):
    tensor = aligned(tmp_path, [a, b])
    assert np.allclose(merged(Slerp(0.0), tensor), a, atol=1e-4)
    assert np.allclose(merged(Slerp(1.0), tensor), b, atol=1e-4)


@on_disk
@given(NUMBERS, NUMBERS, st.floats(0.01, 0.99))
def test_every_point_of_an_arc_between_vectors_of_one_length_has_that_length(tmp_path: Path, a, b, position):
    lengths = np.linalg.norm(a), np.linalg.norm(b)
    if min(lengths) < 1 or abs(a @ b) / (lengths[0] * lengths[1]) > 0.99:
        return
    a, b = a / lengths[0] * 10, b / lengths[1] * 10
    point = merged(Slerp(position), aligned(tmp_path, [a, b]))
    assert np.linalg.norm(point) == pytest.approx(10, rel=1e-4)
    angle = math.acos(float(a @ b) / 100)
    assert math.acos(min(1.0, float(a @ point) / 100)) == pytest.approx(position * angle, abs=2e-3)


def test_a_quarter_of_the_right_angle_is_at_22_and_a_half_degrees(tmp_path: Path):
    point = merged(Slerp(0.25), aligned(tmp_path, [np.array([2.0, 0.0]), np.array([0.0, 2.0])]))
    assert point == pytest.approx([2 * math.cos(math.pi / 8), 2 * math.sin(math.pi / 8)], abs=1e-6)


@pytest.mark.parametrize("other", [[3.0, 6.0], [0.0, 0.0], [-1.0, -2.0]])
def test_where_there_is_no_angle_the_straight_line_is_taken(tmp_path: Path, other):
    point = merged(Slerp(0.5), aligned(tmp_path, [np.array([1.0, 2.0]), np.array(other)]))
    assert point == pytest.approx((np.array([1.0, 2.0]) + other) / 2, abs=1e-6)
