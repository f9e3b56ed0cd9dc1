"""BERT-like encoders in numpy alone: what computes where no engine is installed, so that the base install reranks.

A batch is one matrix of its real tokens; products are numpy's BLAS, attention runs within each sequence, and of a
classifier's last layer the first tokens alone are computed. It opens in a few milliseconds: nothing is compiled.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from threadpoolctl import ThreadpoolController

from secondpass.errors import InputError
from secondpass.models.engine import Batch, EngineOptions, Head, Precision
from secondpass.models.graph_kinds import read_graph_shape
from secondpass.models.graph_shape import VECTORS, GraphShape
from secondpass.models.numpy_activations import activate
from secondpass.models.padding import Embeddings, real_tokens
from secondpass.models.span_head import beside_tokens, read_span_head
from secondpass.models.weights import Weights
from secondpass.types import FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class _Linear:
    """``x @ weight + bias``; ``weight``: float32 [in, out]."""

    weight: FloatArray
    bias: FloatArray

    def __call__(self, x: FloatArray) -> FloatArray:
        result: FloatArray = x @ self.weight
        result += self.bias
        return result


@dataclass(frozen=True, slots=True, eq=False)
class _Norm:
    weight: FloatArray
    bias: FloatArray
    epsilon: float

    def __call__(self, x: FloatArray) -> FloatArray:
        """Normalize the rows of ``x`` in place."""
        x -= x.mean(axis=-1, keepdims=True)
        variance = np.einsum("td,td->t", x, x)[:, None] / np.float32(x.shape[-1])
        x /= np.sqrt(variance + np.float32(self.epsilon))
        x *= self.weight
        x += self.bias
        return x


@dataclass(frozen=True, slots=True, eq=False)
class _Layer:
    """A layer; the factor of the attention's scores is in ``query``."""

    query: _Linear
    key: _Linear
    value: _Linear
    output: _Linear
    output_norm: _Norm
    inner: _Linear
    outer: _Linear
    outer_norm: _Norm


class NumpyEngine:
    """An `EncoderEngine` in float32 on numpy; ``options.threads`` limits those of numpy's BLAS while it computes.

    ``projection`` (float32 [D, H], head ``tokens`` only) is applied to every token vector, which is then brought to
    length 1.

    Raises:
        InputError: the model, the precision or the device cannot be used.
    """

    def __init__(
        self, folder: Path, head: Head, options: EngineOptions | None = None, projection: FloatArray | None = None
    ) -> None:
        options = options or EngineOptions()
        if options.precision != "f32" or options.device != "cpu":
            raise InputError(
                f"The engine numpy computes in f32 on the cpu, not in {options.precision} on {options.device}; the "
                "engines openvino and torch know other precisions, torch knows GPUs."
            )
        shape = read_graph_shape(folder)
        if not isinstance(shape, GraphShape):
            raise InputError(
                f"The engine numpy computes BERT, RoBERTa and their heirs; the model at {folder} turns its positions. "
                'Install an engine: pip install "secondpass[openvino]".'
            )
        weights = Weights(folder)
        self._shape, self._head = shape, head
        self._embeddings = Embeddings(weights, shape)
        self._reading = _Reading(weights, shape)
        self._norm = self._reading.norm("embeddings.LayerNorm")
        self._widen = self._reading.linear("embeddings_project") if shape.projects_embeddings else None
        self._layers = [self._reading.layer(index) for index in range(shape.layers)]
        self._classifier = None if head == "tokens" else self._reading.classifier()
        self._spans = read_span_head(folder, shape.hidden) if head == "classify_spans" else None
        self._projection = projection
        self._threads, self._lock = options.threads, threading.Lock()
        self._blas = ThreadpoolController() if options.threads else None

    @property
    def name(self) -> Literal["numpy"]:
        """The engine's name."""
        return "numpy"

    @property
    def precision(self) -> Precision:
        """The precision of the products."""
        return "f32"

    def run(self, batch: Batch) -> FloatArray:
        """Return what `EncoderEngine.run` says of each head."""
        if self._blas is None:
            return self._run(batch)
        with self._lock, self._blas.limit(limits=self._threads, user_api="blas"):  # a limit is one of the process
            return self._run(batch)

    def _run(self, batch: Batch) -> FloatArray:
        lengths = [len(ids) for ids in batch.ids]
        seen = list(batch.attended or lengths)
        x = self._norm(self._embeddings.inputs(batch)[VECTORS][real_tokens(batch)])
        if self._widen is not None:
            x = self._widen(x)
        for layer in self._layers[:-1]:
            x = self._all_tokens(layer, x, lengths, seen)
        last = self._layers[-1]
        if self._classifier is None:
            return self._projected(self._all_tokens(last, x, lengths, seen))
        logits = self._classified(self._first_tokens(last, x, lengths, seen))
        if self._spans is None:
            return logits
        return beside_tokens(logits, x @ self._spans.weight.T + self._spans.bias, lengths)

    def _all_tokens(self, layer: _Layer, x: FloatArray, lengths: Sequence[int], seen: Sequence[int]) -> FloatArray:
        """Compute a layer for all tokens, float32 [T, H] -> [T, H]."""
        query, key, value = layer.query(x), layer.key(x), layer.value(x)
        mixed = np.empty_like(query)
        for start, length, count in _sequences(lengths, seen):
            rows, visible = slice(start, start + length), slice(start, start + count)
            mixed[rows] = self._attend(query[rows], key[visible], value[visible])
        return self._rest(layer, x, mixed)

    def _first_tokens(self, layer: _Layer, x: FloatArray, lengths: Sequence[int], seen: Sequence[int]) -> FloatArray:
        """Compute a layer for each sequence's first token, float32 [T, H] -> [B, H]; see graph_encoder's formulas."""
        heads, size, hidden = self._shape.heads, self._shape.head_size, self._shape.hidden
        starts = np.cumsum([0, *lengths[:-1]])
        first = x[starts]
        keys = layer.key.weight.reshape(hidden, heads, size).transpose(1, 0, 2)  # (heads, H, size)
        values = layer.value.weight.reshape(hidden, heads, size).transpose(1, 0, 2)
        query = layer.query(first).reshape(-1, heads, 1, size)
        sought = np.matmul(query, keys.transpose(0, 2, 1))[:, :, 0]  # (B, heads, H)
        read = np.empty_like(sought)
        for row, (start, _, count) in enumerate(_sequences(lengths, seen)):
            tokens = x[start : start + count]
            read[row] = _softmax(sought[row] @ tokens.T) @ tokens
        mixed = np.matmul(read[:, :, None], values)[:, :, 0].reshape(-1, hidden) + layer.value.bias
        return self._rest(layer, first, mixed)

    def _attend(self, query: FloatArray, key: FloatArray, value: FloatArray) -> FloatArray:
        """Return the values, mixed for every query: float32 [L, H] of [L, H] and twice [C, H]."""
        heads, size = self._shape.heads, self._shape.head_size
        by_head = [part.reshape(len(part), heads, size).transpose(1, 0, 2) for part in (query, key, value)]
        chances = _softmax(np.matmul(by_head[0], by_head[1].transpose(0, 2, 1)))
        mixed: FloatArray = np.matmul(chances, by_head[2]).transpose(1, 0, 2).reshape(len(query), -1)
        return mixed

    def _rest(self, layer: _Layer, x: FloatArray, mixed: FloatArray) -> FloatArray:
        y = layer.output(mixed)
        y += x
        y = layer.output_norm(y)
        z = layer.outer(activate(layer.inner(y), self._shape.activation))
        z += y
        return layer.outer_norm(z)

    def _classified(self, first: FloatArray) -> FloatArray:
        assert self._classifier is not None
        dense, output = self._classifier
        return output(activate(dense(first), self._shape.head.activation))

    def _projected(self, x: FloatArray) -> FloatArray:
        if self._projection is None:
            return x
        vectors = x @ self._projection.T
        shortest = np.float32(1e-12)
        return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), shortest), np.float32)


class _Reading:
    """The weights of an encoder, made ready to be multiplied."""

    def __init__(self, weights: Weights, shape: GraphShape) -> None:
        self._weights, self._shape = weights, shape
        self._prefix = weights.prefix_of(shape.words)

    def linear(self, name: str, factor: float = 1.0, prefixed: bool = True) -> _Linear:
        name = f"{self._prefix}{name}" if prefixed else name
        weight, bias = self._weights.read(f"{name}.weight"), self._weights.read(f"{name}.bias")
        return _Linear(np.ascontiguousarray(weight.T) * np.float32(factor), bias * np.float32(factor))

    def norm(self, name: str) -> _Norm:
        parts = [self._weights.read(f"{self._prefix}{name}.{part}") for part in ("weight", "bias")]
        return _Norm(parts[0], parts[1], self._shape.epsilon)

    def layer(self, index: int) -> _Layer:
        names = self._shape.layer_names
        place = f"{names.layers}.{index}."
        return _Layer(
            query=self.linear(place + names.query, 1 / math.sqrt(self._shape.head_size)),
            key=self.linear(place + names.key),
            value=self.linear(place + names.value),
            output=self.linear(place + names.attention_output),
            output_norm=self.norm(place + names.attention_norm),
            inner=self.linear(place + names.widen),
            outer=self.linear(place + names.narrow),
            outer_norm=self.norm(place + names.output_norm),
        )

    def classifier(self) -> tuple[_Linear, _Linear]:
        head = self._shape.head
        return self.linear(head.dense, prefixed=head.pooled), self.linear(head.output, prefixed=False)


def _sequences(lengths: Sequence[int], seen: Sequence[int]) -> list[tuple[int, int, int]]:
    """Return where each sequence begins, how long it is, and how many of its tokens may be looked at."""
    starts = np.cumsum([0, *lengths[:-1]]).tolist()
    return list(zip(starts, lengths, seen, strict=True))


def _softmax(scores: FloatArray) -> FloatArray:
    """Return the softmax over the last axis, in place."""
    scores -= scores.max(axis=-1, keepdims=True)
    np.exp(scores, out=scores)
    scores /= scores.sum(axis=-1, keepdims=True)
    return scores
