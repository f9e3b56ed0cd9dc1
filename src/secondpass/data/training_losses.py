"""What each form of training data can hold, and the counting of what it cannot."""

from __future__ import annotations

from collections import Counter

from secondpass.data.training import TrainExample
from secondpass.data.training_forms import FormName

_IDS = {"id", "positive_ids", "negative_ids"}
_HOLDS: dict[FormName, frozenset[str]] = {
    "flag": frozenset({"scores", "grades", "prompt", "ids", "provenance"}),
    "triplets": frozenset({"scores"}),
    "pairs": frozenset({"scores", "grades"}),
    "lists": frozenset({"scores", "grades"}),
    "messages": frozenset({"prompt"}),
    "beir": frozenset({"grades", "ids"}),
    "trec": frozenset({"grades", "ids"}),
}
_NEEDS_POSITIVE: tuple[FormName, ...] = ("flag", "triplets", "messages", "beir", "trec")


def can_hold(example: TrainExample, form: FormName) -> bool:
    """Tell whether a form can hold an example at all: most want a positive."""
    return bool(example.positives) or form not in _NEEDS_POSITIVE


def note_lost(example: TrainExample, form: FormName, notes: Counter[str]) -> None:
    """Count what of an example is lost in a form."""
    if not can_hold(example, form):
        notes["examples without a positive, left out"] += 1
        return
    lost = _parts(example) - _HOLDS[form]
    if form == "trec" and lost == {"scores"}:
        notes["examples that lost the scores of their positives"] += 1
        lost = set()
    for what in lost:
        notes[f"examples that lost their {what}"] += 1
    if form == "triplets":
        notes["further positives, each a row of its own"] += len(example.positives) - 1


def _parts(example: TrainExample) -> set[str]:
    """Return what an example has beside its texts."""
    graded = "scores_are" in example.provenance
    parts = set()
    if example.positive_scores is not None or example.negative_scores is not None:
        parts.add("grades" if graded else "scores")
    if example.prompt is not None:
        parts.add("prompt")
    if example.provenance.keys() & _IDS:
        parts.add("ids")
    if example.provenance.keys() - _IDS - {"scores_are"}:
        parts.add("provenance")
    return parts
