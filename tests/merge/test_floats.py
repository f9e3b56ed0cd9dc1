"""Numbers of every type survive the way through float32, and are rounded as torch rounds them."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from secondpass.merge.floats import is_finite, narrowed, widened

FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)


@given(arrays(np.float32, st.integers(1, 50), elements=FLOATS))
def test_bfloat16_is_rounded_as_torch_rounds_it(values):
    expected = torch.from_numpy(values.copy()).to(torch.bfloat16)
    assert np.array_equal(narrowed(values, "BF16"), expected.view(torch.uint16).numpy())
    assert np.array_equal(widened(narrowed(values, "BF16"), "BF16"), expected.to(torch.float32).numpy())


@given(arrays(np.uint16, 40))
def test_every_finite_bfloat16_comes_back_bit_for_bit(bits):
    finite = bits[(bits & 0x7F80) != 0x7F80]
    assert np.array_equal(narrowed(widened(finite, "BF16"), "BF16"), finite)


def test_what_is_infinite_or_no_number_is_seen_in_every_type():
    for kind in ("F32", "F16", "BF16", "F64"):
        assert is_finite(narrowed(np.array([1.0, -65000.0], np.float32), kind), kind)
    assert not is_finite(np.array([0x7F80], np.uint16), "BF16")
    assert not is_finite(np.array([0xFFC0], np.uint16), "BF16")
    assert not is_finite(narrowed(np.array([70000.0], np.float32), "F16"), "F16")
    assert not is_finite(np.array([np.nan], np.float32), "F32")
