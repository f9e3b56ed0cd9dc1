"""Calibration of int8 engines: what numbers each layer sees when it reads real pairs of texts.

Never on random tokens: ranges seen on those order passages at random (Kendall tau of 0.3 to 0.75 against float32).
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import numpy as np

from secondpass.errors import InputError
from secondpass.models.engine import Batch, Head
from secondpass.models.engine_files import cache_folder
from secondpass.models.graph import GRAPH_FILE
from secondpass.models.graph_kinds import AnyShape, graph_writer
from secondpass.models.graph_linear import ObservedLinear, Range
from secondpass.models.padding import Embeddings
from secondpass.models.runnable import Evaluate
from secondpass.models.tokenizer import TextTokenizer
from secondpass.models.weights import Weights

_MAX_TOKENS = 512
_SHARE = 0.9
"""The share of the texts whose whole range is kept; of the others the extremes are cut off.

Against the mean and the maximum of the texts' ranges this is the middle: on random models of 6 and of 12 layers the
error was the smallest, and the second smallest.
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


def calibrated_ranges(
    folder: Path, weights: Weights, shape: AnyShape, head: Head, embeddings: Embeddings, evaluate: Evaluate
) -> dict[str, Range]:
    """Return the range of every large layer's input over the texts that ship with the package."""
    observer = ObservedLinear()
    scratch = cache_folder() / "engines"
    scratch.mkdir(parents=True, exist_ok=True)
    seen: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="calibration.", suffix=".part", dir=scratch) as made:
        graph_writer(weights, shape, head, linear=observer).write(Path(made))
        batches = pair_batches(folder, calibration_texts(), shape.max_tokens, embeddings.type_count)
        for outputs in evaluate(Path(made) / GRAPH_FILE, map(embeddings.inputs, batches)):
            for name in observer.outputs:
                seen.setdefault(name, []).append(float(outputs[name]))
    layers = {name.partition(":")[2] for name in seen}
    return {
        layer: Range(
            float(np.quantile(seen[f"low:{layer}"], 1 - _SHARE)), float(np.quantile(seen[f"high:{layer}"], _SHARE))
        )
        for layer in sorted(layers)
    }
