"""BERT, XLM-R (jina's, whose positions turn, too) and RoBERTa without padding, in torch: a batch is one matrix.

Every product sees real tokens only, attention runs within each sequence, and a classifier's last layer is computed for
the first tokens alone; an evidence head reads what goes into that layer. Float32 and bfloat16, on the CPU and on CUDA
devices.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from secondpass.errors import InputError
from secondpass.models.engine import Batch, EngineOptions, Head, Pending, Precision, TokenIds
from secondpass.models.rotary_shape import Rotation
from secondpass.models.span_head import beside_tokens, read_span_head
from secondpass.models.torch_attention import FirstTokenAttention, Layout, attend, bounds, first_rows, turned
from secondpass.models.torch_device import fetched, memory_errors, number_type, open_device, sent
from secondpass.models.torch_linear import Linear, make_linear, packed_weights_work
from secondpass.models.torch_weights import Activation, EncoderShape, Weights, read_shape
from secondpass.types import FloatArray

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Norm:
    weight: Tensor
    bias: Tensor
    epsilon: float

    def __call__(self, x: Tensor) -> Tensor:
        return functional.layer_norm(x, (len(self.weight),), self.weight, self.bias, self.epsilon)


@dataclass(frozen=True, slots=True)
class _Layer:
    attention: Linear | FirstTokenAttention
    output: Linear
    output_norm: _Norm
    inner: Linear
    outer: Linear
    outer_norm: _Norm


class TorchEncoderEngine:
    """An `EncoderEngine` that computes in torch; one batch at a time, whatever number of threads ask.

    ``projection`` (float32 [D, H], head ``tokens`` only) is applied to every token vector, which is then brought to
    length 1. ``fallbacks`` says what could not be done the fast way. ``options.threads`` sets torch's number of threads
    for the whole process.

    Raises:
        InputError: the model, the precision or the device cannot be used.
    """

    def __init__(
        self, folder: Path, head: Head, options: EngineOptions | None = None, projection: FloatArray | None = None
    ) -> None:
        options = options or EngineOptions()
        self._precision = options.precision
        self._dtype = number_type(options.precision)
        self._device = open_device(options.device)
        # What runs through the layers is rounded only where products read it: a fifth less error in bf16 for 3 % of the
        # time of a CPU. On a GPU, where moving numbers is what costs, it is of the products' own precision.
        self._stream = torch.float32 if self._device.type == "cpu" else self._dtype
        if options.threads is not None and self._device.type == "cpu":
            torch.set_num_threads(options.threads)
        self._packed = self._device.type == "cpu" and packed_weights_work(self._dtype)
        self.fallbacks: tuple[str, ...] = ()
        if self._device.type == "cpu" and not self._packed:
            self.fallbacks = (f"oneDNN's packed {self._precision} products are not in this torch",)
            _log.warning("%s; torch's own, slower ones are taken.", self.fallbacks[0])
        self._head: Head = head
        self._lock = threading.Lock()
        self._shape = read_shape(folder)
        weights = Weights(folder)
        with memory_errors(), torch.inference_mode():
            self._embeddings = {
                name: weights.encoder(f"embeddings.{name}_embeddings.weight").to(self._device)
                for name in ("word", "position", "token_type")
                if name != "position" or self._shape.rotation is None
            }
            self._turns = None if self._shape.rotation is None else self._tables(self._shape.rotation)
            self._embedding_norm = self._norm(weights, "embeddings.LayerNorm", torch.float32)
            self._layers = [self._layer(weights, index) for index in range(self._shape.layers)]
            self._classifier = None if head == "tokens" else self._read_classifier(weights)
            self._spans = self._read_spans(folder) if head == "classify_spans" else None
            self._projection = None if projection is None else torch.from_numpy(projection).to(self._device)

    @property
    def name(self) -> Literal["torch"]:
        """The engine's name."""
        return "torch"

    @property
    def precision(self) -> Precision:
        """The precision that products are computed in; sums, norms of the input and the head are float32."""
        return self._precision

    @property
    def max_tokens(self) -> int:
        """The longest sequence that the model has positions for."""
        return self._shape.max_tokens

    def run(self, batch: Batch) -> FloatArray:
        """Return what `EncoderEngine.run` says of each head."""
        return self.start(batch)()

    def start(self, batch: Batch) -> Pending:
        """Start what `run` returns; a GPU computes it while the caller goes on."""
        longest = max(len(ids) for ids in batch.ids)
        if longest > self._shape.max_tokens:
            raise InputError(f"The model has positions for {self._shape.max_tokens} tokens; the input has {longest}.")
        with self._lock, memory_errors(), torch.inference_mode():
            layout = _layout(batch, self._device)
            places = sent(_positions(batch, self._shape), self._device)
            x = self._embed(batch, places)
            turns = None if self._turns is None else (self._turns[0][places], self._turns[1][places])
            for layer in self._layers[:-1]:
                x = self._forward(layer, x, layout, turns)
            last = self._forward(self._layers[-1], x, layout, turns)
            if self._classifier is None:
                return fetched(self._project(last))
            logits = fetched(self._classify(first_rows(last, layout)))
            if self._spans is None:
                return logits
            token_logits = fetched(functional.linear(x.float(), *self._spans))
        return lambda: beside_tokens(logits(), token_logits(), [len(ids) for ids in batch.ids])

    def _embed(self, batch: Batch, places: Tensor) -> Tensor:
        token_type = self._embeddings["token_type"]
        ids = np.concatenate(batch.ids)
        x = functional.embedding(sent(ids, self._device), self._embeddings["word"])
        if "position" in self._embeddings:
            x += functional.embedding(places, self._embeddings["position"])
        if len(token_type) > 1:
            types = [np.arange(len(i)) >= start for i, start in zip(batch.ids, batch.second_starts, strict=True)]
            x += functional.embedding(sent(np.concatenate(types).astype(np.int64), self._device), token_type)
        else:
            x += token_type[0]
        return self._embedding_norm(x).to(self._stream)

    def _forward(self, layer: _Layer, x: Tensor, layout: Layout, turns: tuple[Tensor, Tensor] | None) -> Tensor:
        rounded = x.to(self._dtype)
        if isinstance(layer.attention, FirstTokenAttention):
            context = layer.attention(rounded, layout)
            x = first_rows(x, layout)
        else:
            qkv = layer.attention(rounded).view(len(x), 3, self._shape.heads, -1)
            context = attend(qkv if turns is None else turned(qkv, *turns), layout, self._packed)
        x = layer.output_norm(x + layer.output(context))
        return layer.outer_norm(x + layer.outer(layer.inner(x.to(self._dtype))))

    def _classify(self, x: Tensor) -> Tensor:
        assert self._classifier is not None
        dense, dense_bias, output, output_bias = self._classifier
        return functional.linear(torch.tanh(functional.linear(x.float(), dense, dense_bias)), output, output_bias)

    def _project(self, x: Tensor) -> Tensor:
        if self._projection is None:
            return x.float()
        return functional.normalize(functional.linear(x.float(), self._projection), dim=-1)

    def _tables(self, rotation: Rotation) -> tuple[Tensor, Tensor]:
        cosines, sines = rotation.tables(self._shape.max_tokens, self._shape.head_size)
        return torch.from_numpy(cosines).to(self._device), torch.from_numpy(sines).to(self._device)

    def _norm(self, weights: Weights, name: str, dtype: torch.dtype) -> _Norm:
        weight, bias = weights.pair(name)
        return _Norm(weight.to(self._device, dtype), bias.to(self._device, dtype), self._shape.epsilon)

    def _layer(self, weights: Weights, index: int) -> _Layer:
        name = f"encoder.layer.{index}."
        # A key that turns with its position cannot be folded into the query.
        only_first = index == self._shape.layers - 1 and self._head != "tokens" and self._shape.rotation is None
        return _Layer(
            attention=self._attention(weights, f"{name}attention.self.", only_first),
            output=self._linear(*weights.pair(f"{name}attention.output.dense")),
            output_norm=self._norm(weights, f"{name}attention.output.LayerNorm", self._stream),
            inner=self._linear(*weights.pair(f"{name}intermediate.dense"), self._shape.activation),
            outer=self._linear(*weights.pair(f"{name}output.dense")),
            outer_norm=self._norm(weights, f"{name}output.LayerNorm", self._stream),
        )

    def _attention(self, weights: Weights, name: str, first_tokens_only: bool) -> Linear | FirstTokenAttention:
        heads, size, hidden = self._shape.heads, self._shape.head_size, self._shape.hidden
        query, query_bias = (part * size**-0.5 for part in weights.pair(f"{name}query"))
        (key, key_bias), (value, value_bias) = weights.pair(f"{name}key"), weights.pair(f"{name}value")
        if not first_tokens_only:
            return self._linear(torch.cat([query, key, value]), torch.cat([query_bias, key_bias, value_bias]))
        value_by_head = value.view(heads, size, hidden).transpose(1, 2).contiguous()
        return FirstTokenAttention(
            *self._cast(query, query_bias, key.view(heads, size, hidden), value_by_head, value_bias)
        )

    def _linear(self, weight: Tensor, bias: Tensor, activation: Activation | None = None) -> Linear:
        weight, bias = self._cast(weight, bias)
        return make_linear(weight, bias, self._packed, activation)

    def _cast(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        return tuple(tensor.to(self._device, self._dtype) for tensor in tensors)

    def _read_classifier(self, weights: Weights) -> tuple[Tensor, ...]:
        if self._shape.kind == "bert":
            tensors = [
                *weights.pair("pooler.dense"),
                *(weights.raw(f"classifier.{part}") for part in ("weight", "bias")),
            ]
        else:
            names = [f"classifier.{layer}.{part}" for layer in ("dense", "out_proj") for part in ("weight", "bias")]
            tensors = [weights.raw(name) for name in names]
        return tuple(tensor.to(self._device) for tensor in tensors)

    def _read_spans(self, folder: Path) -> tuple[Tensor, Tensor]:
        head = read_span_head(folder, self._shape.hidden)
        return torch.from_numpy(head.weight).to(self._device), torch.from_numpy(head.bias).to(self._device)


def _layout(batch: Batch, device: torch.device) -> Layout:
    lengths = [len(ids) for ids in batch.ids]
    starts = np.concatenate([[0], np.cumsum(lengths)]).tolist()
    attended = tuple(batch.attended or lengths)
    return Layout(tuple(starts), attended, bounds(starts, attended, device))


def _positions(batch: Batch, shape: EncoderShape) -> TokenIds:
    """Return the position of every token, int64 [T]."""
    if not shape.counts_pads:
        return np.concatenate([np.arange(len(ids)) for ids in batch.ids])
    # As RoBERTa counts: from after the padding id, and a text that spells the padding token out has no position there.
    real = [ids != shape.pad_id for ids in batch.ids]
    return np.concatenate([np.cumsum(one) * one + shape.pad_id for one in real])
