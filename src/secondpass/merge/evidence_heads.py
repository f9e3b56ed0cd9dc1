"""Evidence heads of models that are merged: like every tensor where all have one, else that of the first that has one.

A mean of one head and none is no head; a head taken whole reads states that are near those it was learned from, as
after a training that does not teach it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from secondpass.merge.parents import EVIDENCE, Parent
from secondpass.models.weight_files import SPANS_FILE


@dataclass(frozen=True, slots=True, eq=False)
class SettledHeads:
    """Models that all have an evidence head to merge, or none; ``taken`` is the file that the result gets instead."""

    parents: tuple[Parent, ...]
    base: Parent | None
    taken: Path | None = None
    notes: tuple[str, ...] = ()


def settle_heads(parents: Sequence[Parent], base: Parent | None) -> SettledHeads:
    """Return the models with their heads where all have one; where some lack it, without, and say what happens."""
    models = [*parents, *([base] if base else [])]
    lacking = [model.name for model in models if EVIDENCE not in model.parts]
    owner = next((model for model in models if EVIDENCE in model.parts), None)
    if owner is None or not lacking:
        return SettledHeads(tuple(parents), base)
    note = (
        f"{SPANS_FILE}, by which a model points at evidence, is not in {', '.join(lacking)}: that of {owner.name} is "
        "taken as it is, and may point less well; delete it from the result to score without evidence"
    )
    alone = tuple(_without_head(parent) for parent in parents)
    return SettledHeads(alone, base and _without_head(base), owner.folder / SPANS_FILE, (note,))


def _without_head(model: Parent) -> Parent:
    parts = tuple(part for part in model.parts if part != EVIDENCE)
    mine = model.part_of(EVIDENCE)
    tensors = {key: stored for key, stored in model.tensors.items() if stored not in mine.values()}
    return replace(model, parts=parts, tensors=tensors)
