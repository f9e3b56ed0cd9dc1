"""An example to learn from: one question with passages that answer it and passages that do not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from secondpass.types import Json


@dataclass(frozen=True, slots=True)
class TrainExample:
    """One question with its passages, whatever file form it came from.

    ``positive_scores`` and ``negative_scores``, stand beside the passages where a teacher gave any (raw, as many
    as there are passages; None: no teacher). ``prompt`` is an instruction that belongs to the example. ``place`` is the
    ``file:line`` it was read from, for messages. ``provenance`` says where a negative came from, by the negative's
    place (source, rank, score), and who wrote the question (people, a model, a template), where that is known.
    """

    query: str
    positives: tuple[str, ...]
    negatives: tuple[str, ...] = ()
    positive_scores: tuple[float, ...] | None = None
    negative_scores: tuple[float, ...] | None = None
    prompt: str | None = None
    place: str = ""
    provenance: Mapping[str, Json] = field(default_factory=dict)
