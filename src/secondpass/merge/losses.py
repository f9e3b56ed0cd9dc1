"""How well a model does on a few examples, as one number that is lower where it does better.

Rerankers are asked for raw scores through the engines that answer questions; embedders give vectors of the first token.
Neither needs torch where OpenVINO or ONNX Runtime computes the model.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from secondpass.data.training import TrainExample
from secondpass.errors import InputError
from secondpass.models.checkpoint import read_checkpoint
from secondpass.rerank.options import RerankerOptions
from secondpass.rerank.pairs import PairReranker
from secondpass.types import Scale

LossKind = Literal["ranking", "contrastive"]
Advance = Callable[[int, int], None]
_SURE = 1e-12


@dataclass(frozen=True, slots=True)
class ModelLoss:
    """The mean loss of a model over ``groups``; ``chance`` is that of a model that tells nothing apart.

    ``skipped`` counts examples that have no passage of one of the two sides.
    """

    model: str
    loss: float
    chance: float
    groups: int
    skipped: int
    kind: LossKind


@dataclass(frozen=True, slots=True)
class LossOptions:
    """How losses are computed: as rerankers are opened, and in batches of ``batch`` questions for embedders."""

    reranker: RerankerOptions
    batch: int = 2


def no_advance(done: int, total: int) -> None:
    """Hear nothing."""


def model_loss(
    name: str, folder: Path, examples: Sequence[TrainExample], options: LossOptions, advance: Advance = no_advance
) -> ModelLoss:
    """Return the loss of the model in ``folder``: ranking for a reranker, contrastive for an embedder.

    Raises:
        InputError: the model is neither, or no example has passages of both sides.
        MissingExtraError: nothing that could compute it is installed.
    """
    if read_checkpoint(folder).kind == "bi-encoder":
        vectors: Any = importlib.import_module("secondpass.merge.contrastive")
        loss: ModelLoss = vectors.contrastive_loss(name, folder, examples, options)
        return loss
    models: Any = importlib.import_module("secondpass.rerank.model_names")
    reranker = models.open_model(str(folder), options.reranker)
    if not isinstance(reranker, PairReranker):
        raise InputError(f"{name} compares passages with each other; accepted are models that score one at a time.")
    return ranking_loss(name, reranker, examples, advance)


def ranking_loss(
    name: str, reranker: PairReranker, examples: Sequence[TrainExample], advance: Advance = no_advance
) -> ModelLoss:
    """Return the group softmax cross-entropy, the mean over all positives: each with all negatives of its question.

    l = -log(exp(s+) / (exp(s+) + sum_j exp(s-_j))) of raw scores: FlagEmbedding's training loss, the softmax loss of
    RankT5 (arXiv:2210.10634).

    Raises:
        InputError: no example has passages of both sides.
    """
    usable = usable_examples(examples)
    losses, chances = [], []
    for done, example in enumerate(usable, start=1):
        texts = [*example.positives, *example.negatives]
        found = reranker.score_texts(example.query, texts)
        scores = raw_scores([one.score for one in found], reranker.scorer.scale)
        negatives = scores[len(example.positives) :]
        losses += [group_loss(float(score), negatives) for score in scores[: len(example.positives)]]
        chances += [math.log(1 + len(negatives))] * len(example.positives)
        advance(done, len(usable))
    skipped = len(examples) - len(usable)
    return ModelLoss(name, float(np.mean(losses)), float(np.mean(chances)), len(losses), skipped, "ranking")


def usable_examples(examples: Sequence[TrainExample]) -> list[TrainExample]:
    """Return the examples that have a positive and a negative.

    Raises:
        InputError: there is none.
    """
    usable = [one for one in examples if one.positives and one.negatives]
    if not usable:
        raise InputError(
            f"None of the {len(examples):,} examples has both a passage that answers and one that does not; accepted "
            'is {"query": "...", "pos": ["..."], "neg": ["...", ...]} a line.'
        )
    return usable


def group_loss(positive: float, negatives: npt.NDArray[np.float64]) -> float:
    """Return the cross-entropy of one positive among ``negatives``, float64 [N].

    >>> round(group_loss(0.0, np.zeros(3)), 4), round(math.log(4), 4)
    (1.3863, 1.3863)
    """
    return float(np.logaddexp.reduce([positive, *negatives]) - positive)


def raw_scores(scores: Sequence[float], scale: Scale) -> npt.NDArray[np.float64]:
    """Return scores that a softmax can be taken of, float64 [N]: probabilities become log-odds."""
    values = np.array(scores, dtype=np.float64)
    if scale != "probability":
        return values
    inside = np.clip(values, _SURE, 1 - _SURE)
    return np.log(inside) - np.log1p(-inside)
