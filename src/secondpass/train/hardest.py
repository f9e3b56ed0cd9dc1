"""Learn from what the model gets wrong: of many negatives read without learning, those that score highest.

Reading costs a third of learning, and most negatives teach nothing once a model is half good (Shrivastava et al.,
"Training Region-based Object Detectors with Online Hard Example Mining", arXiv:1604.03540).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from accelerate import Accelerator

from secondpass.train.groups import Group
from secondpass.train.options import TrainOptions
from secondpass.train.reading import TrainedModel
from secondpass.train.scoring import score_lists


def hardest(
    model: TrainedModel, groups: Sequence[Group], options: TrainOptions, accelerator: Accelerator
) -> Sequence[Group]:
    """Return each of ``groups`` with ``options.group_size`` passages: the relevant one, and the hardest negatives.

    Nothing is drawn at random, and what is chosen for a group does not depend on the others. Groups that have nothing
    to choose from are not read, except where processes share a model and read it as often as each other.
    """
    read = [group for group in groups if options.shard or len(group.passages) > options.group_size]
    if not options.hardest_of or not read:
        return groups
    model.module.eval()
    with accelerator.autocast():
        # All at once, so that processes that share a model read it once each, however many groups each has.
        found = score_lists(model, read, options, accelerator.device, at_once=len(read))
    model.module.train()
    orders = {id(group): np.argsort(-scores[1:], kind="stable") for group, scores in zip(read, found, strict=True)}
    return [
        narrowed(group, orders[id(group)].tolist(), options.group_size) if id(group) in orders else group
        for group in groups
    ]


def narrowed(group: Group, order: Sequence[int], size: int) -> Group:
    """Return ``group`` with its first passage and, in ``order``, the first ``size - 1`` of the others.

    >>> narrowed(Group("q", ("+", "a", "b", "c"), (1.0, 0.0, 0.0, 0.0)), [2, 0, 1], 3).passages
    ('+', 'c', 'a')
    """
    places = [0, *(place + 1 for place in order[: size - 1])]
    teacher = group.teacher and tuple(group.teacher[place] for place in places)
    passages = tuple(group.passages[place] for place in places)
    return replace(group, passages=passages, grades=tuple(group.grades[place] for place in places), teacher=teacher)
