"""Calibration of int8 engines: what numbers each layer sees when it reads real pairs of texts.

Never on random tokens: ranges seen on those order passages at random (Kendall tau of 0.3 to 0.75 against float32).
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path

import numpy as np

from secondpass.errors import InputError
from secondpass.models.engine import Batch, Head
from secondpass.models.engine_files import cache_folder
from secondpass.models.graph_kinds import AnyShape
from secondpass.models.graph_linear import Int8Input, ObservedLinear
from secondpass.models.graph_making import graph_writer
from secondpass.models.graph_shape import GRAPH_FILE
from secondpass.models.padding import Embeddings
from secondpass.models.runnable import Evaluate
from secondpass.models.tokenizer import TextTokenizer
from secondpass.models.weights import Weights
from secondpass.types import FloatArray

_MAX_TOKENS = 512
_SHARE = 0.9
"""The share of the texts whose whole range is kept; of the others the extremes are cut off.

Nothing more may be cut: without the largest ten-thousandth of the numbers the error is up to ten times as large.
"""
_LARGE_CHANNELS = 32
_MOST_LARGE = 1 / 8
"""How many channels of an input, and at most which part of them, are divided down to the largest of the others."""
_FLOAT_WEIGHTS = 1 / 7
"""At most this part of the weights stays float: of the layers that lose the most by rounding their inputs.

On a trained encoder of 6 layers those are products that follow the GELU: leaving two of the five takes the error from
5.5 to 3.2 % of the scores' spread for 4 % of the time; leaving all of them gains no more, for another 10 %.
"""


def calibration_texts() -> list[tuple[str, str]]:
    """Return the pairs of question and passage that ship with the package, Chinese and English."""
    text = resources.files("secondpass.models").joinpath("calibration.tsv").read_text(encoding="utf-8")
    pairs = (line.split("\t") for line in text.splitlines() if line and not line.startswith("#"))
    return [(query, passage) for query, passage in pairs]


def pair_batches(folder: Path, texts: list[tuple[str, str]], max_tokens: int, type_count: int) -> Iterator[Batch]:
    """Yield each pair as a batch of its own, without padding, in the model's own tokens.

    Raises:
        InputError: there is no tokenizer in the folder or above it.
    """
    place = next((home for home in (folder, folder.parent) if (home / "tokenizer.json").is_file()), None)
    if place is None:
        raise InputError(f"int8 is calibrated on texts, and {folder} has no tokenizer.json to read them with.")
    tokenizer = TextTokenizer(place)
    template = tokenizer.pair_template(type_count)
    queries = tokenizer.encode([query for query, _ in texts])
    passages = tokenizer.encode([passage for _, passage in texts])
    limit = min(max_tokens, _MAX_TOKENS) - template.special_count
    for query, passage in zip(queries, passages, strict=True):
        first = query.ids[: limit // 2]
        ids, start = template.join(first, passage.ids[: limit - len(first)])
        yield Batch((ids,), (start,), len(ids))


def calibrated_inputs(
    folder: Path, weights: Weights, shape: AnyShape, head: Head, embeddings: Embeddings, evaluate: Evaluate
) -> dict[str, Int8Input]:
    """Return how large layers round their inputs, from what those are on the texts that ship with the package.

    Layers that are not in it are better left as float.
    """
    observer = ObservedLinear()
    scratch = cache_folder() / "engines"
    scratch.mkdir(parents=True, exist_ok=True)
    seen: dict[str, list[FloatArray]] = {}
    with tempfile.TemporaryDirectory(prefix="calibration.", suffix=".part", dir=scratch) as made:
        graph_writer(weights, shape, head, linear=observer).write(Path(made))
        batches = pair_batches(folder, calibration_texts(), shape.max_tokens, embeddings.type_count)
        for outputs in evaluate(Path(made) / GRAPH_FILE, map(embeddings.inputs, batches)):
            for layer in observer.sizes:
                for part in ("low", "high", "square"):
                    seen.setdefault(f"{layer}:{part}", []).append(outputs[f"{layer}:{part}"])
    losses: dict[str, float] = {}
    inputs: dict[str, Int8Input] = {}
    for layer in observer.sizes:
        low, high, square = (np.stack(seen[f"{layer}:{part}"]) for part in ("low", "high", "square"))
        inputs[layer] = input_rounding(low, high)
        losses[layer] = rounding_loss(inputs[layer], square)
    for layer in layers_left_float(losses, observer.sizes):
        del inputs[layer]
    return inputs


def input_rounding(low: FloatArray, high: FloatArray) -> Int8Input:
    """Return how an input is rounded of which ``low`` and ``high``, float32 [texts, in], are the extremes."""
    largest = np.maximum(-low.min(axis=0), high.max(axis=0))
    count = len(largest)
    large = min(_LARGE_CHANNELS, int(count * _MOST_LARGE))
    ordinary = max(float(np.partition(largest, count - large - 1)[count - large - 1]), 1e-6)
    divisors = np.maximum(np.float32(1), largest / np.float32(ordinary)).astype(np.float32)
    return Int8Input(
        low=float(np.quantile((low / divisors).min(axis=1), 1 - _SHARE)),
        high=float(np.quantile((high / divisors).max(axis=1), _SHARE)),
        divisors=divisors,
    )


def rounding_loss(given: Int8Input, square: FloatArray) -> float:
    """Return the size of what rounding adds, against the size of the input.

    ``square``, float32 [texts, in], are the means of its squares; rounding to steps of s adds s^2 / 12 to them.
    """
    step = (max(given.high, 0.0) - min(given.low, 0.0)) / 255
    signal = float((square / given.divisors**2).mean())
    return step / math.sqrt(12 * max(signal, 1e-12))


def layers_left_float(losses: Mapping[str, float], sizes: Mapping[str, int]) -> list[str]:
    """Return the layers of the largest ``losses`` that together have no more than the part of the weights allowed."""
    room = sum(sizes.values()) * _FLOAT_WEIGHTS
    left: list[str] = []
    for layer in sorted(losses, key=lambda name: -losses[name]):
        room -= sizes[layer]
        if room < 0:
            break
        left.append(layer)
    return left
