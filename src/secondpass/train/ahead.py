"""Read the questions and passages of coming steps while the device computes: a GPU waits for no tokenizer.

On a CPU nothing is read ahead: the cores have enough to do.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, default_convert

from secondpass.data.training import TrainExample
from secondpass.train.groups import Group, Schedule, share_of, step_groups
from secondpass.train.options import TrainOptions
from secondpass.train.reading import StepBatches, TextReader

_MOST_READERS = 4
"""One reads thousands of pairs a second; each costs some seconds to start."""
Part = tuple[Sequence[Group], StepBatches]
"""Groups whose gradients are computed together, and what they became for the model."""


@dataclass(frozen=True, slots=True)
class StepWork:
    """A step's groups, and this process's parts of them; None where the model has a say in what they are."""

    groups: list[Group]
    parts: list[Part] | None


class Steps(Dataset[StepWork]):
    """The work of each step of a run, by its number: it follows from that and the seed."""

    def __init__(
        self, reader: TextReader, examples: Sequence[TrainExample], options: TrainOptions, accelerator: Accelerator
    ) -> None:
        self._reader, self._examples, self._options = reader, examples, options
        self._schedule = Schedule(len(examples), options.batch_size, options.seed)
        self._process, self._processes = accelerator.process_index, accelerator.num_processes
        self._device = accelerator.device

    def __getitem__(self, step: int) -> StepWork:
        """Return the work of ``step``, counted from 0."""
        options = self._options
        groups = step_groups(self._examples, self._schedule, step, options.hardest_of or options.group_size)
        if options.hardest_of:
            return StepWork(groups, None)
        mine = share_of(groups, self._process, self._processes)
        return StepWork(groups, read_parts(mine, self._reader, options, self._device))


def read_parts(groups: Sequence[Group], reader: TextReader, options: TrainOptions, device: torch.device) -> list[Part]:
    """Return ``groups`` in the parts in which a step is computed, read."""
    parts = [groups[place :: options.accumulation] for place in range(options.accumulation)]
    return [(part, reader.batches(part, device)) for part in parts if part]


def steps_ahead(steps: Steps, first: int, last: int, readers: int) -> Iterator[StepWork]:
    """Yield the work of the steps from ``first`` to before ``last``, read by ``readers`` processes (0: by this one)."""
    if not readers:
        return (steps[step] for step in range(first, last))
    loader: Any = DataLoader(
        _Packed(steps), batch_size=None, sampler=range(first, last), num_workers=readers, collate_fn=_as_it_is,
        worker_init_fn=_begin, generator=torch.Generator(), multiprocessing_context=_processes(),
    )  # fmt: skip
    return map(_unpacked, iter(loader))  # iter starts them


def _processes() -> Any:
    """Return how processes are started: by a server that has imported all once, where the system has such."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


def reader_count(options: TrainOptions, accelerator: Accelerator) -> int:
    """Return how many processes read ahead for this one: none beside a CPU, else its share of the cores, less one."""
    if accelerator.device.type != "cuda" or options.hardest_of:
        return 0
    here = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    cores = options.threads or here // accelerator.num_processes
    return max(0, min(cores - 1, _MOST_READERS))


class _Packed(Dataset[StepWork]):
    """Steps with arrays for tensors: tensors go between processes as open files, of which there can be few.

    Every process takes the questions up by itself, all at once: handed over one by one, 100,000 took ten seconds each.
    """

    def __init__(self, steps: Steps) -> None:
        self._written = pickle.dumps(steps, pickle.HIGHEST_PROTOCOL)
        self._steps: Steps | None = None

    def __getitem__(self, step: int) -> StepWork:
        if self._steps is None:
            self._steps = pickle.loads(self._written)
        return _converted(self._steps[step], _arrays)


def _unpacked(work: StepWork) -> StepWork:
    return _converted(work, default_convert)


def _converted(work: StepWork, convert: Any) -> StepWork:
    if work.parts is None:
        return work
    parts = [
        (groups, replace(read, inputs=convert(read.inputs), plan=convert(read.plan))) for groups, read in work.parts
    ]
    return replace(work, parts=parts)


def _arrays(value: Any) -> Any:
    """Return ``value``, of lists, mappings, named tuples and tensors, with arrays for tensors."""
    if isinstance(value, Tensor):
        return value.numpy()
    if isinstance(value, dict):
        return {name: _arrays(one) for name, one in value.items()}
    made = [_arrays(one) for one in value]
    return type(value)(*made) if isinstance(value, tuple) else made


def _begin(_: int) -> None:
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # the cores are the readers'


def _as_it_is(work: Any) -> Any:
    return work
