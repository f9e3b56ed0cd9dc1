"""How fast MaxSim is: one question against 1,000 passages, by our engines, pylate and sentence-transformers.

    python benchmarks/maxsim_speed.py [--passages 1000] [--tokens 180] [--rounds 7]

CPU seconds of one thread. The engines take turns, round by round; the least and the median of the rounds are printed.
Vectors are random, 128 numbers each, 32 for the question; lengths are normal around ``--tokens``. pylate and
sentence-transformers are measured where they are installed. What they are given: a list with one matrix per passage,
as their encoders return it; ours is given a pack, which is made once and serves every question (its making is a row of
its own). Errors are against the definition in float64.
"""

from __future__ import annotations

import os

os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

import argparse
import importlib.util
import statistics
import time
from collections.abc import Callable

import numpy as np

from secondpass.errors import SecondpassError
from secondpass.models.maxsim import MaxSimName, open_maxsim, pack

Array = np.ndarray
Job = Callable[[], object]
DIMENSION, QUERY_TOKENS = 128, 32


def unit_vectors(generator: np.random.Generator, count: int) -> Array:
    vectors = generator.standard_normal((count, DIMENSION), dtype=np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def peers(query: Array, passages: list[Array]) -> dict[str, Job]:
    """Return the peers that are installed; each returns the scores in the order of the passages, or an order."""
    jobs: dict[str, Job] = {}
    if importlib.util.find_spec("torch"):
        import torch

        torch.set_num_threads(1)
        tensors = [torch.from_numpy(one) for one in passages]
        question = torch.from_numpy(query)
    if importlib.util.find_spec("pylate"):
        from pylate import rank

        ids = [list(range(len(passages)))]
        jobs["pylate rank.rerank"] = lambda: [
            one["score"] for one in sorted(rank.rerank(ids, [question], [tensors])[0], key=lambda one: one["id"])
        ]
    if importlib.util.find_spec("sentence_transformers.multi_vector_encoder"):
        from sentence_transformers.util.similarity import maxsim

        jobs["sentence-transformers maxsim"] = lambda: list(maxsim([question], tensors)[0])
    return jobs


def ours(query: Array, vectors: Array, lengths: list[int]) -> dict[str, Job]:
    packed = pack(vectors, lengths)
    jobs: dict[str, Job] = {"making the pack": lambda: pack(vectors, lengths)}
    names: list[MaxSimName] = ["amx", "onnxruntime", "openvino", "numpy"]
    for name in names:
        try:
            engine = open_maxsim(name)
        except SecondpassError as error:
            print(f"left out: {error}")
        else:
            jobs[f"secondpass {name}"] = lambda engine=engine: engine.score(query, packed)
    return jobs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--passages", type=int, default=1000)
    parser.add_argument("--tokens", type=int, default=180)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    generator = np.random.default_rng(0)
    spread = generator.normal(options.tokens, options.tokens / 6, options.passages)
    lengths = np.clip(spread, 8, 2 * options.tokens).astype(int).tolist()
    vectors = unit_vectors(generator, sum(lengths))
    passages = np.split(vectors, np.cumsum(lengths)[:-1])
    query = unit_vectors(generator, QUERY_TOKENS)
    exact = [float((query.astype(np.float64) @ one.astype(np.float64).T).max(axis=1).sum()) for one in passages]
    jobs = {**ours(query, vectors, lengths), **peers(query, passages)}
    seconds: dict[str, list[float]] = {name: [] for name in jobs}
    for job in jobs.values():
        job()
    for _ in range(options.rounds):
        for name, job in jobs.items():
            start = time.process_time()
            job()
            seconds[name].append(time.process_time() - start)
    print(f"{len(lengths)} passages, {sum(lengths)} vectors x {DIMENSION}, {QUERY_TOKENS} query vectors, one thread")
    print(f"{'':30} {'least ms':>9} {'median ms':>10} {'largest error':>14}")
    for name, times in seconds.items():
        result = jobs[name]() if name != "making the pack" else None
        error = "" if result is None else f"{np.abs(np.asarray(result, np.float64) - exact).max():.1e}"
        print(f"{name:30} {1000 * min(times):9.1f} {1000 * statistics.median(times):10.1f} {error:>14}")


if __name__ == "__main__":
    main()
