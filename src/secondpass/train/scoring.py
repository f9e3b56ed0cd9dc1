"""Score dev lists with a model in training, on all processes together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import gather_object

from secondpass.train.development import DevList, Measured, measure
from secondpass.train.devices import in_step
from secondpass.train.evidence import parted
from secondpass.train.groups import Group
from secondpass.train.options import TrainOptions
from secondpass.train.reading import TrainedModel
from secondpass.types import FloatArray

_LISTS_AT_ONCE = 8


def measure_model(
    model: TrainedModel, lists: Sequence[DevList], names: Sequence[str], options: TrainOptions, accelerator: Accelerator
) -> Measured:
    """Measure ``model`` as it stands; every process computes its share of the lists and knows all that was found."""
    model.module.eval()
    count, first = (1, 0) if options.shard else (accelerator.num_processes, accelerator.process_index)
    with accelerator.autocast():
        scores = score_lists(model, lists[first::count], options, accelerator.device)
    if count > 1:
        found = gather_object(list(zip(range(first, len(lists), count), scores, strict=True)))
        scores = [values for _, values in sorted(found, key=lambda one: one[0])]
    return measure(lists, scores, names)


@torch.no_grad()
def score_lists(
    model: TrainedModel,
    lists: Sequence[DevList] | Sequence[Group],
    options: TrainOptions,
    device: torch.device,
    at_once: int = _LISTS_AT_ONCE,
) -> list[FloatArray]:
    """Return float32 [N] for each of ``lists``, raw logits."""
    scores: list[FloatArray] = []
    for start in range(0, len(lists), at_once):
        part = lists[start : start + at_once]
        groups = [Group(one.query, one.passages, (0.0,) * len(one.passages)) for one in part]
        batches, order, _ = model.batches(groups, device)
        values = parted(model.module(in_step(batches, options), order))[0].float().cpu()
        ends = np.cumsum([len(group.passages) for group in groups])[:-1]
        scores += np.split(values.numpy(), ends)
    return scores
