"""What the engines compute a second, on one model and the same mixed lengths, in turns A B C A B C.

    python benchmarks/engines_speed.py FOLDER --engines openvino-f32,openvino-bf16,openvino-int8,onnx-f32,torch-bf16

Time is CPU time of the process: on a busy machine, with one thread, it is stable where wall time is not. GFLOP/s counts
useful work only (real tokens through all layers; padding is waste, skipped work counts as done). Scores are compared
with those of the first engine; on random weights that says whether an engine is right, not how good a model would be.
"""

import argparse
import json
import time
from pathlib import Path
from typing import get_args

import numpy as np

from secondpass.models.batching import plan, rounded_width
from secondpass.models.engine import Batch, EncoderEngine, EngineName, EngineOptions, Precision
from secondpass.models.engines import open_engine
from secondpass.models.parity import compare
from secondpass.types import FloatArray


def lengths_of(kind: str, count: int) -> list[int]:
    """Mixed: log-normal, 45 to 510 tokens, median 165, a query included. Chunks: all 320."""
    if kind == "chunks":
        return [320] * count
    drawn = np.random.default_rng(0).lognormal(5.01, 0.65, count)
    return [int(length) + 15 for length in np.clip(drawn, 30, 490)]


def batches_of(lengths: list[int], budget_tokens: int, vocabulary: int) -> list[Batch]:
    rng = np.random.default_rng(1)
    batches = []
    for group in plan(lengths, budget_tokens):
        ids = tuple(rng.integers(5, vocabulary, lengths[index]) for index in group)
        width = rounded_width(max(lengths[index] for index in group), limit=512)
        batches.append(Batch(ids, (15,) * len(group), width))
    return batches


def useful_flop(folder: Path, lengths: list[int]) -> float:
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    hidden, inner, layers = (config[name] for name in ("hidden_size", "intermediate_size", "num_hidden_layers"))
    return float(sum(layers * (2 * n * (4 * hidden**2 + 2 * hidden * inner) + 4 * n * n * hidden) for n in lengths))


def scored(engine: EncoderEngine, batches: list[Batch]) -> FloatArray:
    return np.concatenate([engine.run(batch)[:, 0] for batch in batches])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--engines", default="openvino-f32,openvino-bf16,openvino-int8,onnx-f32,onnx-int8")
    parser.add_argument("--lengths", choices=("mixed", "chunks"), default="mixed")
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--budget", type=int, default=1024, help="tokens a batch")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    lengths = lengths_of(options.lengths, options.count)
    vocabulary = json.loads((options.folder / "config.json").read_text(encoding="utf-8"))["vocab_size"]
    batches = batches_of(lengths, options.budget, vocabulary)
    computed = sum(batch.width * len(batch.ids) for batch in batches)
    print(
        f"{options.folder.name}: {len(lengths)} sequences, {sum(lengths)} tokens, padding {computed / sum(lengths):.3f}"
    )
    engines: dict[str, EncoderEngine] = {}
    for spec in options.engines.split(","):
        name, _, precision = spec.partition("-")
        if name not in get_args(EngineName) or precision not in get_args(Precision):
            parser.error(f"{spec}: an engine and a precision, such as openvino-bf16")
        engines[spec] = open_engine(options.folder, "classify", EngineOptions(name, precision, options.threads))
    seconds: dict[str, list[float]] = {spec: [] for spec in engines}
    scores: dict[str, FloatArray] = {}
    for turn in range(options.rounds + 1):
        for spec, engine in engines.items():
            start = time.process_time()
            scores[spec] = scored(engine, batches)
            if turn:  # the first turn prepares the engines for these shapes
                seconds[spec].append(time.process_time() - start)
    reference = scores[next(iter(engines))]
    print(f"{'engine':<16}{'CPU s':>8}{'GFLOP/s':>9}{'max|d|':>10}{'/ spread':>10}{'tau':>7}{'top 10':>8}")
    for spec, times in seconds.items():
        found = compare(reference, scores[spec])
        rate = useful_flop(options.folder, lengths) / min(times) / 1e9
        share = found.max_difference / (found.spread or 1.0)
        print(
            f"{spec:<16}{min(times):>8.3f}{rate:>9.0f}{found.max_difference:>10.1e}{share:>10.3f}"
            f"{found.kendall_tau:>7.3f}{found.top10_overlap:>8.0%}"
        )


if __name__ == "__main__":
    main()
