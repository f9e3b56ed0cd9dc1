"""TIES and DARE on cases worked out by hand, and what must hold of them by chance."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from tests.merge.arrays_on_disk import aligned, merged

from secondpass.merge import tensor_files
from secondpass.merge.magnitudes import magnitude_of_rank
from secondpass.merge.task_vectors import Dare, Ties

BASE = np.array([10.0, 10.0, 10.0, 10.0, 10.0])
LEARNED = (np.array([4.0, -3.0, 0.1, 2.0, -0.2]), np.array([2.0, 5.0, -0.3, -1.0, 0.4]))
PARENTS = [BASE + change for change in LEARNED]


def test_ties_by_hand(tmp_path: Path):
    # density 3/5: of the first 4, -3, 2 stay, of the second 2, 5, -1; signs of the sums +, +, +; the means of those
    # that agree are (4+2)/2, 5, 2.
    for scope in ("model", "tensor"):
        found = merged(Ties((0.5, 0.5), density=0.6, scope=scope), aligned(tmp_path, PARENTS, BASE))
        assert found == pytest.approx(BASE + np.array([3.0, 5.0, 0.0, 2.0, 0.0]), abs=1e-5)


def test_ties_by_hand_with_weights_and_scale(tmp_path: Path):
    # weights 0.9 and 0.1: the second sum is -2.7 + 0.5, so that -3 is elected; (0.9 * 4 + 0.1 * 2) / 1 = 3.8.
    found = merged(Ties((0.9, 0.1), density=0.6, scale=2.0), aligned(tmp_path, PARENTS, BASE))
    assert found == pytest.approx(BASE + 2 * np.array([3.8, -3.0, 0.0, 2.0, 0.0]), abs=1e-5)


def test_what_is_trimmed_is_found_over_the_whole_model_or_in_each_tensor(tmp_path: Path):
    large = aligned(tmp_path, [BASE + np.array([9.0, 8.0, 7.0, 6.0, 5.0])] * 2, BASE, "large")
    small = aligned(tmp_path, [BASE + np.array([1.0, 0.8, 0.6, 0.4, 0.2])] * 2, BASE, "small")
    over_all = Ties((0.5, 0.5), density=0.5).prepared([large, small])
    kept = [np.concatenate(list(over_all.blocks(tensor))) - BASE for tensor in (large, small)]
    assert (np.count_nonzero(kept[0]), np.count_nonzero(kept[1])) == (5, 0)
    in_each = Ties((0.5, 0.5), density=0.4, scope="tensor").prepared([large, small])
    kept = [np.concatenate(list(in_each.blocks(tensor))) - BASE for tensor in (large, small)]
    assert (np.count_nonzero(kept[0]), np.count_nonzero(kept[1])) == (2, 2)


def test_what_ties_reads_first_is_heard_of_to_its_end(tmp_path: Path):
    tensors = [aligned(tmp_path, [BASE + number for number in (1, 2)], BASE, name) for name in ("一", "b")]
    heard: list[tuple[int, int, str]] = []
    Ties((0.5, 0.5), density=0.5).prepared(tensors, lambda *told: heard.append(told))
    done, totals = [one[0] for one in heard], {one[1] for one in heard}
    assert done == sorted(done)
    assert totals == {done[-1]}
    assert heard[0][2].startswith("how much model 1 of 2 learned: ")
    assert heard[-1][2].startswith("how much model 2 of 2 learned: ")


def test_ties_of_everything_kept_and_one_sign_is_the_mean(tmp_path: Path):
    found = merged(Ties((0.5, 0.5), density=1.0), aligned(tmp_path, [BASE + 1, BASE + 3], BASE))
    assert found == pytest.approx(BASE + 2, abs=1e-5)


@given(
    st.lists(arrays(np.float32, st.integers(1, 9), elements=st.floats(-1e6, 1e6, width=32)), min_size=1, max_size=4),
    st.integers(1, 40),
)
def test_a_magnitude_is_found_as_by_sorting(parts, rank):
    everything = np.sort(np.abs(np.concatenate(parts)))[::-1]
    expected = everything[rank - 1] if rank <= len(everything) else 0.0
    assert magnitude_of_rank(lambda: iter(parts), rank) == expected


def test_dare_drops_its_share_and_keeps_the_expectation(tmp_path: Path):
    base = np.zeros(200_000, dtype=np.float32)
    learned = np.linspace(0.5, 1.5, len(base), dtype=np.float32)
    found = merged(Dare((1.0,), drop=0.8), aligned(tmp_path, [learned], base))
    dropped = np.mean(found == 0)
    assert dropped == pytest.approx(0.8, abs=0.005)
    assert found[found != 0] == pytest.approx(5 * learned[found != 0], rel=1e-5)
    assert found.mean() == pytest.approx(learned.mean(), rel=0.02)


def test_the_mean_over_many_seeds_of_dare_is_the_mix(tmp_path: Path):
    tensor = aligned(tmp_path, PARENTS, BASE)
    found = np.mean([merged(Dare((0.3, 0.7), drop=0.5, seed=seed), tensor) for seed in range(600)], axis=0)
    assert found == pytest.approx(0.3 * PARENTS[0] + 0.7 * PARENTS[1], abs=0.4)


def test_a_seed_gives_the_same_numbers_whatever_the_blocks_and_the_other_tensors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    rng = np.random.default_rng(3)
    base = rng.standard_normal(1000).astype(np.float32)
    parents = [base + rng.standard_normal(1000).astype(np.float32) for _ in range(2)]
    for signs in ("none", "ties"):
        method = Dare((0.5, 0.5), signs=signs)
        whole = merged(method, aligned(tmp_path, parents, base))
        monkeypatch.setattr(tensor_files, "BLOCK", 64)
        assert np.array_equal(merged(method, aligned(tmp_path, parents, base)), whole)
        monkeypatch.undo()
        assert not np.array_equal(
            merged(Dare((0.5, 0.5), signs=signs, seed=14), aligned(tmp_path, parents, base)), whole
        )


def test_dare_without_dropping_is_the_sum_of_what_was_learned_and_with_signs_the_mean_of_what_agrees(tmp_path: Path):
    tensor = aligned(tmp_path, PARENTS, BASE)
    total = merged(Dare((0.5, 0.5), drop=0.0), tensor)
    assert total == pytest.approx(BASE + (LEARNED[0] + LEARNED[1]) / 2, abs=1e-5)
    agreeing = merged(Dare((0.5, 0.5), drop=0.0, signs="ties"), tensor)
    assert agreeing == pytest.approx(BASE + np.array([3.0, 5.0, -0.3, 2.0, 0.4]), abs=1e-5)
