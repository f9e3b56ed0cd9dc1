"""The planner: how sequences are put into batches, and what happens when memory runs out."""

import logging

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secondpass.errors import InputError
from secondpass.models.batching import make_batch, padding_ratio, plan, rounded_width, run_batches
from secondpass.models.engine import Batch

LENGTHS = st.lists(st.integers(1, 700), max_size=60)


def greedy(lengths, budget, multiple):
    """Fill each batch from the longest on, as sentence-transformers and others do."""
    order = sorted(range(len(lengths)), key=lambda index: -lengths[index])
    batches = []
    while order:
        size = max(1, budget // rounded_width(lengths[order[0]], multiple))
        batches.append(order[:size])
        order = order[size:]
    return batches


def cost(lengths, batches, multiple, overhead):
    return sum(len(b) * rounded_width(max(lengths[i] for i in b), multiple) + overhead for b in batches)


@settings(max_examples=150, deadline=None)
@given(lengths=LENGTHS, budget=st.integers(1, 2000), multiple=st.sampled_from([1, 8, 16]), overhead=st.integers(0, 80))
def test_a_plan_holds_each_index_once_keeps_the_budget_and_is_never_worse_than_greedy(
    lengths, budget, multiple, overhead
):
    batches = plan(lengths, budget, multiple, overhead)
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    for batch in batches:
        width = rounded_width(max(lengths[i] for i in batch), multiple)
        assert len(batch) == 1 or len(batch) * width <= budget
    assert cost(lengths, batches, multiple, overhead) <= cost(
        lengths, greedy(lengths, budget, multiple), multiple, overhead
    )


@settings(max_examples=60, deadline=None)
@given(lengths=st.lists(st.integers(1, 40), min_size=1, max_size=7), budget=st.integers(1, 120))
def test_no_way_of_batching_costs_less(lengths, budget):
    def cheapest(rest):  # over all partitions, sorted or not
        if not rest:
            return 0
        first, *others = rest
        best = None
        for mask in range(2 ** len(others)):
            batch = [first, *(x for bit, x in enumerate(others) if mask >> bit & 1)]
            width = rounded_width(max(batch), 4)
            if len(batch) == 1 or len(batch) * width <= budget:
                left = [x for bit, x in enumerate(others) if not mask >> bit & 1]
                total = len(batch) * width + 5 + cheapest(left)
                best = total if best is None else min(best, total)
        return best

    assert cost(lengths, plan(lengths, budget, 4, 5), 4, 5) == cheapest(lengths)


@pytest.mark.parametrize(("count", "limit"), [(100, 1.07), (10, 1.25)])
def test_little_is_computed_for_padding(count, limit):
    ratios = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        lengths = np.clip(rng.lognormal(5.01, 0.65, count), 30, 490).astype(int) + 16
        ratios.append(padding_ratio(lengths, plan(lengths)))
    assert np.median(ratios) <= limit


def test_no_padding_is_counted_where_all_lengths_are_one_multiple():
    assert padding_ratio([64] * 40, plan([64] * 40)) == 1.0
    assert plan([]) == []
    assert padding_ratio([], []) == 1.0


def test_ten_thousand_passages_are_planned_in_a_moment():
    lengths = np.random.default_rng(0).integers(16, 512, 10_000).tolist()
    assert sum(map(len, plan(lengths))) == 10_000


@pytest.mark.parametrize(("length", "limit", "width"), [(1, None, 8), (9, None, 16), (97, 100, 100), (100, 100, 100)])
def test_widths_are_rounded_up_but_not_beyond_the_models_positions(length, limit, width):
    assert rounded_width(length, 8, limit) == width


def test_long_widths_are_rounded_to_what_units_for_matrices_take():
    lengths = [1, 120, 121, 129, 250, 257, 480, 481]
    assert [rounded_width(length) for length in lengths] == [8, 120, 128, 144, 256, 288, 480, 512]
    assert rounded_width(500, limit=511) == 511


class SmallMemory:
    """An engine with room for a few tokens: its output tells which ids it saw."""

    name = "small"
    precision = "f32"

    def __init__(self, tokens: int, per_token: bool = False) -> None:
        self.tokens = tokens
        self.per_token = per_token

    def run(self, batch: Batch):
        if len(batch.ids) * batch.width > self.tokens:
            raise MemoryError
        rows = batch.ids if not self.per_token else [one[i : i + 1] for one in batch.ids for i in range(len(one))]
        return np.array([[row.sum()] for row in rows], dtype=np.float32)


def batch_of(*lengths, attended=None):
    made = make_batch([(np.full(length, length, dtype=np.int64), length) for length in lengths])
    return Batch(made.ids, made.second_starts, made.width, attended)


@pytest.mark.parametrize("per_token", [False, True])
def test_a_batch_too_large_for_memory_is_halved_and_nothing_is_lost(caplog, per_token):
    batches = [batch_of(9, 8, 7, 6, 5), batch_of(3, 2, attended=(1, 2))]
    with caplog.at_level(logging.WARNING):
        run = run_batches(SmallMemory(17, per_token), batches)
    everything = run_batches(SmallMemory(10_000, per_token), batches)
    assert run.retries == 3
    assert everything.retries == 0
    assert all((a == b).all() for a, b in zip(run.outputs, everything.outputs, strict=True))
    assert "halved 3 times" in caplog.text


def test_an_input_that_never_fits_is_named_with_its_length_and_the_engine():
    with pytest.raises(InputError, match=r"engine small \(f32\).*single input of 9 tokens"):
        run_batches(SmallMemory(8), [batch_of(2, 9)])


def test_an_interrupt_passes_at_once():
    class Interrupted(SmallMemory):
        calls = 0

        def run(self, batch):
            self.calls += 1
            raise KeyboardInterrupt

    engine = Interrupted(1)
    with pytest.raises(KeyboardInterrupt):
        run_batches(engine, [batch_of(2, 2)])
    assert engine.calls == 1
