"""From the tokens of a batch to the numbers an engine is fed: sums of embeddings, padded, and what may be looked at.

The embeddings are looked up here and not in the graph: of a vocabulary of 250,000 words (a gigabyte) only the rows of
the batch are read, and no engine holds a copy. Padding is all zeros.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from secondpass.errors import InputError
from secondpass.models.engine import Batch, TokenIds
from secondpass.models.graph_kinds import AnyShape
from secondpass.models.graph_shape import MASK, SHUT, VECTORS, GraphShape
from secondpass.models.weights import Weights
from secondpass.types import FloatArray


class Embeddings:
    """The embedding tables of a model."""

    def __init__(self, weights: Weights, shape: AnyShape) -> None:
        prefix = weights.prefix_of(shape.words)
        self._shape = shape
        self._folder = weights.folder
        self._words = weights.weight(prefix + shape.words)
        placed = isinstance(shape, GraphShape)  # others turn with their positions instead
        self._positions = weights.weight(f"{prefix}embeddings.position_embeddings.weight") if placed else None
        self._types = weights.read(prefix + shape.types) if shape.types else None

    @property
    def type_count(self) -> int:
        """How many token types the model knows."""
        return 1 if self._types is None else len(self._types)

    def inputs(self, batch: Batch) -> dict[str, FloatArray]:
        """Return what the graph is fed: the sums of the embeddings, float32 [B, W, E], and the bias of the scores.

        Raises:
            InputError: a sequence is longer than the model has positions for, or holds a token it does not have.
        """
        self._check(batch)
        vectors = np.zeros((len(batch.ids), batch.width, self._words.raw.shape[1]), np.float32)
        for row, ids, second in zip(vectors, batch.ids, batch.second_starts, strict=True):
            sums = row[: len(ids)]
            sums[:] = self._words.rows(ids)
            if self._positions is not None and isinstance(self._shape, GraphShape):
                sums += self._positions.rows(_positions(ids, self._shape))
            if self._types is not None:
                sums[:second] += self._types[0]
                sums[second:] += self._types[min(1, len(self._types) - 1)]
        return {VECTORS: vectors, MASK: np.where(attended_tokens(batch), np.float32(0), np.float32(SHUT))}

    def _check(self, batch: Batch) -> None:
        longest = max(len(ids) for ids in batch.ids)
        if longest > self._shape.max_tokens:
            raise InputError(
                f"A sequence of {longest} tokens is longer than the model at {self._folder} reads "
                f"({self._shape.max_tokens}): cut it, or split the passage into windows."
            )
        words = self._words.raw.shape[0]
        if max(int(ids.max(initial=0)) for ids in batch.ids) >= words:
            raise InputError(
                f"A token's id is not below {words}, the number of words that the model at {self._folder} has: its "
                "tokenizer is not the one of this model."
            )


def real_tokens(batch: Batch) -> npt.NDArray[np.bool_]:
    """Return where tokens stand and not padding, bool [B, W]."""
    lengths = np.array([len(ids) for ids in batch.ids])
    return np.asarray(np.arange(batch.width) < lengths[:, None])


def attended_tokens(batch: Batch) -> npt.NDArray[np.bool_]:
    """Return which tokens may be looked at, bool [B, W]."""
    counts = np.array(batch.attended or [len(ids) for ids in batch.ids])
    return np.asarray(np.arange(batch.width) < counts[:, None])


def token_types(batch: Batch) -> npt.NDArray[np.int64]:
    """Return 0 for tokens of the first segment and 1 for those of the second, int64 [sum of L_i]."""
    parts = [np.arange(len(ids)) >= start for ids, start in zip(batch.ids, batch.second_starts, strict=True)]
    return np.concatenate(parts).astype(np.int64)


def _positions(ids: TokenIds, shape: GraphShape) -> TokenIds | slice:
    if not shape.counts_pads:
        return slice(len(ids))
    # RoBERTa: from after the padding id, and a text that spells the padding token out has no position there.
    real = ids != shape.pad_id
    return np.asarray(np.cumsum(real) * real + shape.pad_id)
