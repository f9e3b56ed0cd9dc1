"""From lengths to batches, and batches through an engine: the one planner of all engines.

Sequences are sorted by their exact number of tokens and cut into batches so that little is computed for padding. On a
CPU a batch of about a thousand tokens is as fast per token as a large one, and wastes less; a GPU wants large ones.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from secondpass.errors import InputError
from secondpass.models.engine import Batch, EncoderEngine, Pending, StartingEngine, TokenIds
from secondpass.types import FloatArray

_log = logging.getLogger(__name__)

Planner: TypeAlias = Callable[[Sequence[int]], list[list[int]]]
"""From lengths to batches of indices into them; each index stands in exactly one."""
BUDGET_TOKENS = 1024
OVERHEAD_TOKENS = 16
"""What starting one more batch costs, in tokens' worth of computing."""
GPU_BUDGET_TOKENS, GPU_OVERHEAD_TOKENS = 65_536, 4096
"""The same on a GPU, which computes some 300,000 tokens a second and starts hundreds of kernels a batch."""


def width_multiple(length: int) -> int:
    """Return of what the width of a batch is a multiple: 8, from 129 tokens on 16, from 257 on 32.

    Units for matrices take 16 or 32 rows at a time, and each new width is one more that an engine makes ready for; more
    padding than that costs what it gains (docs/log.md).
    """
    return 8 if length <= 128 else 16 if length <= 256 else 32


def rounded_width(length: int, multiple: int | None = None, limit: int | None = None) -> int:
    """Return ``length`` rounded up to a ``multiple``, but to no more than ``limit`` where the length itself is not.

    ``multiple`` None: by `width_multiple`.
    """
    multiple = multiple or width_multiple(length)
    width = -(-max(length, 1) // multiple) * multiple
    return width if limit is None else max(length, min(width, limit))


def plan(
    lengths: Sequence[int],
    budget_tokens: int = BUDGET_TOKENS,
    multiple: int | None = None,
    overhead_tokens: int = OVERHEAD_TOKENS,
) -> list[list[int]]:
    """Return batches of indices into ``lengths``, the longest first; each index stands in exactly one.

    A batch of n sequences is computed as n x (longest, rounded up to ``multiple``) tokens, at most ``budget_tokens``
    unless it is a single sequence. Of all ways to cut the sorted sequences, the one with the smallest sum of computed
    tokens plus ``overhead_tokens`` per batch is taken (exact, by dynamic programming over the sorted lengths).
    """
    if len(lengths) == 0:
        return []
    order = sorted(range(len(lengths)), key=lambda index: (lengths[index], -index))
    widths = np.array([rounded_width(lengths[index], multiple) for index in order], dtype=np.int64)
    count = len(order)
    best = np.zeros(count + 1, dtype=np.int64)  # best[j]: the cheapest way to compute the j shortest
    cut = np.zeros(count + 1, dtype=np.int64)  # cut[j]: where its last batch begins
    positions = np.arange(count + 1, dtype=np.int64)
    for end in range(1, count + 1):
        width = int(widths[end - 1])
        first = max(0, end - max(1, budget_tokens // width))
        costs = best[first:end] + width * (end - positions[first:end])
        choice = int(np.argmin(costs))
        best[end] = costs[choice] + overhead_tokens
        cut[end] = first + choice
    batches: list[list[int]] = []
    end = count
    while end:
        start = int(cut[end])
        batches.append(order[start:end][::-1])
        end = start
    return batches


def plan_on(device: str, lengths: Sequence[int]) -> list[list[int]]:
    """Return the batches of `plan` for an engine that pads, as they suit ``device`` (cpu, cuda, cuda:1)."""
    if device == "cpu":
        return plan(lengths)
    return plan(lengths, GPU_BUDGET_TOKENS, overhead_tokens=GPU_OVERHEAD_TOKENS)


def filled(lengths: Sequence[int], budget_tokens: int = GPU_BUDGET_TOKENS) -> list[list[int]]:
    """Return batches of indices into ``lengths``, in their order, of at most ``budget_tokens`` real tokens.

    For an engine that computes no padding, whose neighbours need not be alike; a longer sequence is a batch alone.
    """
    batches: list[list[int]] = []
    room = 0
    for index, length in enumerate(lengths):
        if not batches or length > room:
            batches.append([])
            room = budget_tokens
        batches[-1].append(index)
        room -= length
    return batches


def padding_ratio(lengths: Sequence[int], batches: Sequence[Sequence[int]], multiple: int | None = None) -> float:
    """Return the tokens computed by an engine that pads, divided by the tokens there are (1.0: nothing is wasted)."""
    real = sum(lengths)
    computed = sum(len(batch) * rounded_width(max(lengths[i] for i in batch), multiple) for batch in batches)
    return computed / real if real else 1.0


def make_batch(
    sequences: Sequence[tuple[TokenIds, int]], multiple: int | None = None, limit: int | None = None
) -> Batch:
    """Make a batch of (ids, index at which token type 1 begins), padded to no more than ``limit`` tokens."""
    longest = max(len(ids) for ids, _ in sequences)
    return Batch(
        ids=tuple(ids for ids, _ in sequences),
        second_starts=tuple(start for _, start in sequences),
        width=rounded_width(longest, multiple, limit),
    )


@dataclass(frozen=True, slots=True)
class BatchRun:
    """The output of each batch, and how often a batch was halved because memory did not suffice."""

    outputs: tuple[FloatArray, ...]
    retries: int


def run_batches(engine: EncoderEngine, batches: Sequence[Batch]) -> BatchRun:
    """Run ``batches`` in turn; one that does not fit into memory is halved, down to single sequences.

    Raises:
        InputError: memory does not suffice for a single sequence.
    """
    return begin_batches(engine, batches)()


def begin_batches(engine: EncoderEngine, batches: Sequence[Batch]) -> Callable[[], BatchRun]:
    """Start ``batches`` and return what waits for them; an engine that cannot start any computes them now.

    Raises:
        InputError: memory does not suffice for a single sequence.
    """
    started = [_start(engine, batch) for batch in batches]
    retries = sum(halved for _, halved in started)
    if retries:
        _log.warning("%s (%s) ran out of memory; batches were halved %d times.", engine.name, engine.precision, retries)
    return lambda: BatchRun(tuple(pending() for pending, _ in started), retries)


def _start(engine: EncoderEngine, batch: Batch) -> tuple[Pending, int]:
    try:
        if isinstance(engine, StartingEngine):
            return engine.start(batch), 0
        output = engine.run(batch)
    except MemoryError as error:
        if len(batch.ids) == 1:
            raise InputError(
                f"The engine {engine.name} ({engine.precision}) ran out of memory on a single input of "
                f"{len(batch.ids[0])} tokens; set a smaller max_tokens, or take another engine or precision."
            ) from error
    else:
        return lambda: output, 0
    # Outside the except clause, so that the failed attempt's memory is free before the next.
    halves = [_start(engine, half) for half in _halves(batch)]
    joined = 1 + sum(count for _, count in halves)
    return lambda: np.concatenate([pending() for pending, _ in halves]), joined


def _halves(batch: Batch) -> list[Batch]:
    middle = len(batch.ids) // 2
    return [
        Batch(
            ids=batch.ids[part],
            second_starts=batch.second_starts[part],
            width=max(len(ids) for ids in batch.ids[part]),
            attended=batch.attended[part] if batch.attended else None,
        )
        for part in (slice(0, middle), slice(middle, None))
    ]
